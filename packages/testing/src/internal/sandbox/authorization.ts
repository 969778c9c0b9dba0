import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { Grant, Outcome, PresentedGrant } from "./api.ts"

/** Whose grant it is, and how long its access tokens live. */
export interface Options {
  readonly clientId?: string | undefined
  readonly clientSecret?: string | Redacted.Redacted | undefined
  readonly expiresIn?: Duration.DurationInput | undefined
}

interface ExpectedClient {
  readonly clientId: string | undefined
  readonly clientSecret: string | undefined
}

interface Consent {
  readonly id: string
  readonly client: ExpectedClient
  readonly expiresIn: Duration.Duration
  /** How many pairs were issued. None but the last is alive. */
  generation: number
  /** When the last access token ends, in milliseconds since the epoch. */
  expiresAt: number
  revoked: boolean
}

/** Dead tokens are kept: a reuse has to be told from a token that never was. */
interface Issued {
  readonly kind: "access" | "refresh"
  readonly consent: Consent
  readonly generation: number
}

export interface Refresh {
  readonly refreshToken: string
  readonly clientId: string
  readonly clientSecret: string
}

export interface Exchange {
  readonly outcome: Outcome
  readonly response: Either.Either<Grant, "invalid_client" | "invalid_grant">
}

const expectedClient = ({ clientId, clientSecret }: Options, otherwise?: ExpectedClient): ExpectedClient => ({
  clientId: clientId ?? otherwise?.clientId,
  clientSecret:
    (Redacted.isRedacted(clientSecret) ? Redacted.value(clientSecret) : clientSecret) ??
    otherwise?.clientSecret
})

const isClient = (expected: ExpectedClient, { clientId, clientSecret }: Refresh): boolean =>
  clientId === (expected.clientId ?? clientId) && clientSecret === (expected.clientSecret ?? clientSecret)

/**
 * The grants of an authorization server that rotates refresh tokens and treats reuse as theft
 * (RFC 9700, section 4.14.2). Each change is one synchronous step, so no other request comes between.
 */
export const make = (expected: Pick<Options, "clientId" | "clientSecret">) => {
  const anyClient = expectedClient(expected)
  const consents = new Map<string, Consent>()
  const tokens = new Map<string, Issued>()

  const issue = (consent: Consent, now: number): Grant => {
    consent.generation += 1
    consent.expiresAt = now + Duration.toMillis(consent.expiresIn)
    const mint = (kind: Issued["kind"]) => {
      const token = crypto.randomUUID()
      tokens.set(token, { kind, consent, generation: consent.generation })
      return Redacted.make(token)
    }
    const { expiresIn, id } = consent
    return { id, accessToken: mint("access"), refreshToken: mint("refresh"), expiresIn }
  }

  const find = (kind: Issued["kind"], token: string): Issued | undefined => {
    const issued = tokens.get(token)
    return issued?.kind === kind ? issued : undefined
  }

  const exchange = (refresh: Refresh, now: number): Exchange => {
    const issued = find("refresh", refresh.refreshToken)
    if (!isClient(issued?.consent.client ?? anyClient, refresh))
      return { outcome: "refused", response: Either.left("invalid_client") }
    const invalid = (outcome: Outcome): Exchange => ({ outcome, response: Either.left("invalid_grant") })
    if (issued === undefined) return invalid("refused")
    const { consent, generation } = issued
    if (consent.revoked) return invalid("revoked")
    if (generation === consent.generation)
      return { outcome: "rotated", response: Either.right(issue(consent, now)) }
    consent.revoked = true
    return invalid("reused")
  }

  /** Whether there is such a grant. */
  const change = (id: string, f: (consent: Consent) => void) =>
    Effect.sync(() => {
      const consent = consents.get(id)
      if (consent !== undefined) f(consent)
      return consent !== undefined
    })

  return {
    authorize: (options: Options = {}): Effect.Effect<Grant> =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const consent: Consent = {
          id: crypto.randomUUID(),
          client: expectedClient(options, anyClient),
          expiresIn: Duration.decode(options.expiresIn ?? "1 hour"),
          generation: 0,
          expiresAt: now,
          revoked: false
        }
        consents.set(consent.id, consent)
        return issue(consent, now)
      }),
    refresh: (request: Refresh): Effect.Effect<Exchange> =>
      Effect.map(Clock.currentTimeMillis, (now) => exchange(request, now)),
    revoke: (id: string) =>
      change(id, (consent) => {
        consent.revoked = true
      }),
    expire: (id: string) =>
      change(id, (consent) => {
        consent.expiresAt = Number.NEGATIVE_INFINITY
      }),
    /** Whether the API takes this bearer token: one that is alive, or that was never issued here. */
    accepts: (token: string): Effect.Effect<boolean> =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const issued = tokens.get(token)
        if (issued === undefined) return true
        const { consent, generation, kind } = issued
        return (
          kind === "access" &&
          !consent.revoked &&
          generation === consent.generation &&
          now < consent.expiresAt
        )
      }),
    /** The client of a grant, or else the one that is expected, as introspection describes it. */
    clientOf: (id: string | undefined) => {
      const client = (id === undefined ? undefined : consents.get(id)?.client) ?? anyClient
      return { clientId: client.clientId ?? "sandbox-client", scopes: [] as ReadonlyArray<string> }
    },
    /** The grant that a token belongs to, whether it is alive or not. */
    identify: (kind: Issued["kind"], token: string): PresentedGrant | undefined => {
      const issued = find(kind, token)
      return issued && { id: issued.consent.id, generation: issued.generation }
    }
  }
}
