import { Agent } from "node:http"
import axios from "axios"
import { fromPromise } from "../support/fromPromise.ts"
import { type InstallationResponse, path } from "../support/installation.ts"

// Its default agent keeps sockets alive by itself, since Node.js 19.
export const put = fromPromise(({ server, sockets }) => {
  const client = axios.create({
    baseURL: server,
    ...(sockets === undefined ? {} : { httpAgent: new Agent({ keepAlive: true, maxSockets: sockets }) })
  })
  return async (token, update) => {
    const { data } = await client.put<InstallationResponse>(path, update, {
      headers: { authorization: `Bearer ${token}` }
    })
    return data
  }
})
