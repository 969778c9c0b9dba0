// The one update that everybody makes, and its answer.
import { deepStrictEqual } from "node:assert"

export interface Update {
  readonly status: "ACTIVATED"
  readonly metadata: { readonly externalApplicationId: string }
}

export interface InstallationResponse {
  readonly id: string
  readonly applicationId: string
  readonly resource: string
  readonly status: string
  readonly metadata: { readonly [key: string]: unknown }
  readonly createdAt: string
  readonly updatedAt: string
}

type Timestamp = string | Date | { readonly epochMillis: number }

/** An installation as a contender decodes it. */
export interface Answer {
  readonly id: string
  readonly applicationId: string
  readonly resource: string
  readonly status: string
  readonly metadata: unknown
  readonly createdAt: Timestamp
  readonly updatedAt: Timestamp
}

export const path = "/v1/installations/me"

export const newUpdate = (): Update => ({
  status: "ACTIVATED",
  metadata: { externalApplicationId: "123456789" }
})

export const update: Update = newUpdate()

/** The headers of a request that is written by hand. */
export const headersOf = (token: string) => ({
  accept: "application/json",
  authorization: `Bearer ${token}`,
  "content-type": "application/json;charset=UTF-8"
})

export const response: InstallationResponse = {
  applicationId: "8d8a5d12-0b3c-4e6f-9c2b-6f1f1f0f7b0e",
  createdAt: "2021-01-01T00:00:00Z",
  id: "123e4567-e89b-12d3-a456-426614174000",
  metadata: update.metadata,
  resource: "urn:pleo:company:5f2c7b9e-3a64-4d0b-8f8e-2f3a1c9d7e55",
  status: update.status,
  updatedAt: "2021-01-01T00:00:00Z"
}

const toMillis = (timestamp: Timestamp): number =>
  typeof timestamp === "object" && "epochMillis" in timestamp
    ? timestamp.epochMillis
    : new Date(timestamp).getTime()

const normalise = ({ applicationId, createdAt, id, metadata, resource, status, updatedAt }: Answer) => ({
  applicationId,
  createdAt: toMillis(createdAt),
  id,
  metadata,
  resource,
  status,
  updatedAt: toMillis(updatedAt)
})

const expected = normalise(response)

/** Cheap enough for every update. */
export const check = (answer: Answer): void => {
  if (answer.status !== response.status || answer.id !== response.id) throw new Error("a wrong answer")
}

export const checkAll = (answer: Answer): void => deepStrictEqual(normalise(answer), expected)
