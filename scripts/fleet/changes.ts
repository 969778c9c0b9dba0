// The changes of a flip. Its number is in the metadata, where the API finds it.
import type { UpdateInstallation } from "@effect-pleo/core/Installation"

export const tenantOf = (row: number): string => `customer-${row}`

/** The customers are ERROR at odd flips, and ACTIVATED at even ones. */
export const requestOf = (flip: number): UpdateInstallation => ({
  status: flip % 2 === 1 ? "ERROR" : "ACTIVATED",
  metadata: { flip }
})

export const changesOf = (rows: number, flip: number) => {
  const request = requestOf(flip)
  return Array.from({ length: rows }, (_, row) => ({ tenant: tenantOf(row), request }))
}
