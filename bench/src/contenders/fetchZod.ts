import { z } from "zod"
import { fromPromise } from "../support/fromPromise.ts"
import { headersOf, path } from "../support/installation.ts"

const Metadata = z.record(z.string(), z.json())

const UpdateInstallation = z.strictObject({
  status: z.enum(["ACTIVATED", "INACTIVE", "AUTHORIZED", "PENDING_INTEGRATION", "ERROR"]),
  errorCode: z.enum(["NOT_ENTITLED", "AUTH_ERROR"]).optional(),
  metadata: Metadata.optional()
})

const Timestamp = z.iso.datetime({ offset: true }).transform((text) => new Date(text))

const Installation = z.object({
  id: z.uuid(),
  applicationId: z.uuid(),
  resource: z.string(),
  status: z.string(),
  errorCode: z.string().nullish(),
  metadata: Metadata,
  createdAt: Timestamp,
  updatedAt: Timestamp
})

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
