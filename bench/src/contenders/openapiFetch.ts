import createClient from "openapi-fetch"
import { fromPromise } from "../support/fromPromise.ts"
import type { InstallationResponse, Update } from "../support/installation.ts"

interface paths {
  "/v1/installations/me": {
    put: {
      requestBody: { content: { "application/json": Update } }
      responses: { 200: { content: { "application/json": InstallationResponse } } }
    }
  }
}

export const put = fromPromise(({ server }) => {
  const client = createClient<paths>({ baseUrl: server })
  return async (token, update) => {
    const { data, response } = await client.PUT("/v1/installations/me", {
      headers: { authorization: `Bearer ${token}` },
      body: update
    })
    if (data === undefined) throw new Error(`status ${response.status}`)
    return data
  }
})
