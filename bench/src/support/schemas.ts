// Schemas of the request and the response, for contenders that validate both with zod.
import { z } from "zod"

const Metadata = z.record(z.string(), z.json())

export const UpdateInstallation = z.strictObject({
  status: z.enum(["ACTIVATED", "INACTIVE", "AUTHORIZED", "PENDING_INTEGRATION", "ERROR"]),
  errorCode: z.enum(["NOT_ENTITLED", "AUTH_ERROR"]).optional(),
  metadata: Metadata.optional()
})

const Timestamp = z.iso.datetime({ offset: true }).transform((text) => new Date(text))

export const Installation = z.object({
  id: z.uuid(),
  applicationId: z.uuid(),
  resource: z.string(),
  status: z.string(),
  errorCode: z.string().nullish(),
  metadata: Metadata,
  createdAt: Timestamp,
  updatedAt: Timestamp
})
