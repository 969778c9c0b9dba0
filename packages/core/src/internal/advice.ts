// The advice and the quotes of error messages.
interface Facts {
  readonly _tag: "BadRequest" | "Unauthorized" | "Infrastructure"
  readonly reason?: keyof typeof advice
  readonly status?: number | undefined
  readonly isRetryable: boolean
}

/** By the reason of an error: the advice, and another one if the error is not retryable. */
const advice = {
  Unauthenticated: ["replace the credential; with OAuth, check the client ID and secret, and PLEO_SERVER"],
  Forbidden: ["check the app's permissions in Pleo, and that the installation still exists"],
  NotConnected: ["check the tenant's name, or connect the customer"],
  ReauthorizationRequired: ["ask the customer to connect again"],
  Transport: [
    "check the network, DNS, and proxies between this program and Pleo; later updates may succeed",
    "check certificates, the machine's clock, and proxies, unless this program is shutting down"
  ],
  Timeout: ["nothing for now; if it persists, check the network, then ask Pleo's support"],
  RateLimited: ["send fewer updates, and spread those of many customers over time"],
  ServerError: [
    "nothing for now; if it persists, ask Pleo's support",
    "ask Pleo's support; a retry will fail too"
  ],
  InvalidResponse: ["look for a proxy that responds in Pleo's place; if there is none, upgrade this library"],
  Redirect: ["check PLEO_SERVER and proxies; redirects are not followed"],
  Superseded: ["nothing, unless the newer update omits something"],
  TokenEndpoint: [
    "nothing for now, since the refresh token is still valid; if it persists, ask Pleo's support"
  ],
  TokenStore: ["check the database or the disk that holds the tokens"]
} as const

export const adviceFor = ({ isRetryable, reason, status }: Facts): string => {
  if (reason !== undefined) {
    const [first, ifFinal = first] = advice[reason]
    return isRetryable ? first : ifFinal
  }
  if (status === undefined) return "correct the value named above; it was not sent"
  return status === 404
    ? "check PLEO_SERVER, then compare the request with Pleo's documentation"
    : "compare the request with Pleo's documentation; the response below may say more"
}

/** Replaces line separators and control characters. JSON does not escape all of them. */
export const oneLine = (text: string): string => text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ")

/** Quotes a text on one line, with all but visible characters and plain spaces escaped. */
export const quoteStart = (text: string): string => {
  const quoted = JSON.stringify(text.slice(0, 200)).replace(
    /(?! )[\p{C}\p{Z}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`
  )
  return text.length > 200 ? `${quoted} and more` : quoted
}
