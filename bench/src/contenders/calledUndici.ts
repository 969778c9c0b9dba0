import * as Undici from "undici"
import { asCalled } from "../support/asCalled.ts"
import { headersOf, path } from "../support/installation.ts"
import { attemptTimeout, retry, StatusError } from "../support/retry.ts"
import { Installation, UpdateInstallation } from "../support/schemas.ts"

/** An update as an application needs it, written by hand: validation, a timeout for each attempt, retries. */
export const put = asCalled(({ server }) => {
  const url = server + path
  return (token, update) => {
    const text = JSON.stringify(UpdateInstallation.parse(update))
    return retry(async () => {
      const { body, statusCode } = await Undici.request(url, {
        method: "PUT",
        headers: headersOf(token),
        body: text,
        signal: AbortSignal.timeout(attemptTimeout)
      })
      if (statusCode !== 200) {
        await body.dump()
        throw new StatusError(statusCode)
      }
      return Installation.parse(await body.json())
    })
  }
})
