import { asCalled } from "../support/asCalled.ts"
import { headersOf, path } from "../support/installation.ts"
import { attemptTimeout, retry, StatusError } from "../support/retry.ts"
import { Installation, UpdateInstallation } from "../support/schemas.ts"

/** An update as an application needs it, written by hand: validation, a timeout for each attempt, retries. */
export const put = asCalled(({ server }) => {
  const url = server + path
  return (token, update) => {
    const body = JSON.stringify(UpdateInstallation.parse(update))
    return retry(async () => {
      const response = await fetch(url, {
        method: "PUT",
        headers: headersOf(token),
        body,
        signal: AbortSignal.timeout(attemptTimeout)
      })
      if (!response.ok) {
        await response.body?.cancel()
        throw new StatusError(response.status)
      }
      return Installation.parse(await response.json())
    })
  }
})
