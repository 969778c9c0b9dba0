// What the client needs of the contract. `AppMarketplaceApi` says the rest, at the price of an HTTP server's
// modules, which an application that sends one request need not load.

export const servers = {
  production: "https://external.pleo.io",
  staging: "https://external.staging.pleo.io"
} as const

export const tokenEndpoints = {
  production: "https://auth.pleo.io/oauth/token",
  staging: "https://auth.staging.pleo.io/oauth/token"
} as const

export const method = "PUT"

export const path = "/v1/installations/me"

export const contentType = "application/json;charset=UTF-8"

/** Without the charset, which RFC 9110 gives no meaning in a field that names what is accepted. */
export const accept = "application/json"
