import got from "got"
import { fromPromise } from "../support/fromPromise.ts"
import { type InstallationResponse, path } from "../support/installation.ts"

// Its default agent keeps sockets alive by itself, since Node.js 19.
export const put = fromPromise(({ server }) => {
  const url = server + path
  return (token, update) =>
    got.put(url, { json: update, headers: { authorization: `Bearer ${token}` } }).json<InstallationResponse>()
})
