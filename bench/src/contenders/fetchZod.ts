import { fromPromise } from "../support/fromPromise.ts"
import { headersOf, path } from "../support/installation.ts"
import { Installation, UpdateInstallation } from "../support/schemas.ts"

/** As one writes it by hand, with what is sent and what comes back validated. */
export const put = fromPromise(({ server }) => {
  const url = server + path
  return async (token, update) => {
    const response = await fetch(url, {
      method: "PUT",
      headers: headersOf(token),
      body: JSON.stringify(UpdateInstallation.parse(update))
    })
    if (!response.ok) throw new Error(`status ${response.status}`)
    return Installation.parse(await response.json())
  }
})
