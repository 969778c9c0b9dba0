import ky from "ky"
import { fromPromise } from "../support/fromPromise.ts"
import { type InstallationResponse, path } from "../support/installation.ts"

export const put = fromPromise(({ server }) => {
  const url = server + path
  return (token, update) =>
    ky.put(url, { json: update, headers: { authorization: `Bearer ${token}` } }).json<InstallationResponse>()
})
