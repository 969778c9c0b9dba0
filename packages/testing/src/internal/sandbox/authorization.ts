import { createHash } from "node:crypto"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { Grant, GrantState, Outcome, PresentedGrant } from "./api.ts"

/** Whose grant it is, and how long its access tokens live. */
export interface Options {
  readonly clientId?: string | undefined
  readonly clientSecret?: string | Redacted.Redacted | undefined
  readonly expiresIn?: Duration.DurationInput | undefined
}

/** An absent field is not checked. */
export interface Expected extends Pick<Options, "clientId" | "clientSecret"> {
  /** Default: 60 seconds. */
  readonly codeExpiresIn?: Duration.DurationInput | undefined
}

interface ExpectedClient {
  readonly clientId: string | undefined
  readonly clientSecret: string | undefined
}

/** A code can be exchanged by the app that has its verifier, and until then. */
interface Binding {
  readonly redirectUri: string
  readonly codeChallenge: string
  readonly expiresAt: number
}

interface Consent {
  readonly id: string
  /** The key of its installation. */
  readonly owner: string
  readonly client: ExpectedClient
  readonly scopes: ReadonlyArray<string>
  readonly expiresIn: Duration.Duration
  /** Absent if there was no code. */
  readonly binding?: Binding
  /** How many pairs were issued. None but the last is alive. */
  generation: number
  /** When the last access token ends, in milliseconds since the epoch. */
  expiresAt: number
  revoked: boolean
}

/** Dead tokens are kept: a reuse has to be told from a token that never was. A code is of generation 0. */
interface Issued {
  readonly kind: "access" | "refresh" | "code"
  readonly consent: Consent
  readonly generation: number
}

export interface Client {
  readonly clientId: string
  readonly clientSecret: string
}

export interface Refresh extends Client {
  readonly refreshToken: string
}

export interface Redemption extends Client {
  readonly code: string
  readonly redirectUri: string
  readonly codeVerifier: string
}

export interface Approval {
  readonly clientId: string
  readonly owner: string
  readonly scopes: ReadonlyArray<string>
  readonly redirectUri: string
  readonly codeChallenge: string
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

const isClient = (expected: ExpectedClient, { clientId, clientSecret }: Client): boolean =>
  clientId === (expected.clientId ?? clientId) && clientSecret === (expected.clientSecret ?? clientSecret)

// RFC 7636, section 4.6.
const challengeOf = (verifier: string): string => createHash("sha256").update(verifier).digest("base64url")

/**
 * The grants of an authorization server that rotates refresh tokens and treats reuse as theft
 * (RFC 9700, section 4.14.2), that of a code as well (RFC 6749, section 4.1.2). Each change is one synchronous step, so no other request comes between.
 */
export const make = ({ codeExpiresIn = "60 seconds", ...expected }: Expected, changed: () => void) => {
  const anyClient = expectedClient(expected)
  const consents = new Map<string, Consent>()
  const tokens = new Map<string, Issued>()

  const mint = (kind: Issued["kind"], consent: Consent): string => {
    const token = crypto.randomUUID()
    tokens.set(token, { kind, consent, generation: consent.generation })
    return token
  }

  const issue = (consent: Consent, now: number): Grant => {
    consent.generation += 1
    consent.expiresAt = now + Duration.toMillis(consent.expiresIn)
    changed()
    const { expiresIn, id } = consent
    return {
      id,
      accessToken: Redacted.make(mint("access", consent)),
      refreshToken: Redacted.make(mint("refresh", consent)),
      expiresIn
    }
  }

  const find = (kind: Issued["kind"], token: string): Issued | undefined => {
    const issued = tokens.get(token)
    return issued?.kind === kind ? issued : undefined
  }

  const isBound = ({ binding }: Consent, { codeVerifier, redirectUri }: Redemption, now: number): boolean =>
    binding !== undefined &&
    now < binding.expiresAt &&
    redirectUri === binding.redirectUri &&
    challengeOf(codeVerifier) === binding.codeChallenge

  const exchange = (issued: Issued | undefined, client: Client, now: number, isValid: boolean): Exchange => {
    if (!isClient(issued?.consent.client ?? anyClient, client))
      return { outcome: "refused", response: Either.left("invalid_client") }
    const invalid = (outcome: Outcome): Exchange => ({ outcome, response: Either.left("invalid_grant") })
    if (issued === undefined) return invalid("refused")
    const { consent, generation, kind } = issued
    if (consent.revoked) return invalid("revoked")
    if (generation !== consent.generation) {
      consent.revoked = true
      changed()
      return invalid("reused")
    }
    if (!isValid) return invalid("refused")
    return { outcome: kind === "code" ? "issued" : "rotated", response: Either.right(issue(consent, now)) }
  }

  /** Whether there is such a grant. */
  const change = (id: string, f: (consent: Consent) => void) =>
    Effect.sync(() => {
      const consent = consents.get(id)
      if (consent !== undefined) {
        f(consent)
        changed()
      }
      return consent !== undefined
    })

  const begin = (
    { clientId, clientSecret, expiresIn = "1 hour" }: Options,
    consent: Pick<Consent, "scopes" | "binding"> & { readonly owner?: string },
    now: number
  ): Consent => {
    const id = crypto.randomUUID()
    const begun: Consent = {
      owner: `grant ${id}`,
      ...consent,
      id,
      client: expectedClient({ clientId, clientSecret }, anyClient),
      expiresIn: Duration.decode(expiresIn),
      generation: 0,
      expiresAt: now,
      revoked: false
    }
    consents.set(id, begun)
    changed()
    return begun
  }

  return {
    authorize: (options: Options = {}): Effect.Effect<Grant> =>
      Effect.map(Clock.currentTimeMillis, (now) => issue(begin(options, { scopes: [] }, now), now)),
    /** Makes a grant without tokens yet, and returns the code to exchange for them. */
    approve: ({ clientId, codeChallenge, owner, redirectUri, scopes }: Approval): Effect.Effect<string> =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const expiresAt = now + Duration.toMillis(codeExpiresIn)
        const binding = { redirectUri, codeChallenge, expiresAt }
        return mint("code", begin({ clientId }, { owner, scopes, binding }, now))
      }),
    /** A refused exchange leaves the code as it was, unless it was used before. */
    redeem: (request: Redemption): Effect.Effect<Exchange> =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const issued = find("code", request.code)
        return exchange(issued, request, now, issued !== undefined && isBound(issued.consent, request, now))
      }),
    refresh: (request: Refresh): Effect.Effect<Exchange> =>
      Effect.map(Clock.currentTimeMillis, (now) =>
        exchange(find("refresh", request.refreshToken), request, now, true)
      ),
    revoke: (id: string) =>
      change(id, (consent) => {
        consent.revoked = true
      }),
    /** Revokes all grants of the installation that a grant is for. */
    revokeInstallation: (id: string) =>
      change(id, ({ owner }) => {
        for (const consent of consents.values()) if (consent.owner === owner) consent.revoked = true
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
    /** All grants, oldest first. */
    list: (now: number): ReadonlyArray<GrantState> =>
      Array.from(consents.values(), (consent) => ({
        id: consent.id,
        owner: consent.owner,
        ...(consent.client.clientId !== undefined && { clientId: consent.client.clientId }),
        scopes: consent.scopes,
        generation: consent.generation,
        state: consent.revoked
          ? "revoked"
          : consent.generation === 0
            ? "pending"
            : now < consent.expiresAt
              ? "live"
              : "expired",
        expiresAt: Number.isFinite(consent.expiresAt) ? DateTime.unsafeMake(consent.expiresAt) : null
      })),
    /** A grant as introspection describes it. Without a grant, it is of the client that is expected. */
    describe: (id: string | undefined): { key?: string; clientId: string; scopes: ReadonlyArray<string> } => {
      const consent = id === undefined ? undefined : consents.get(id)
      return {
        ...(consent && { key: consent.owner }),
        clientId: (consent?.client ?? anyClient).clientId ?? "sandbox-client",
        scopes: consent?.scopes ?? []
      }
    },
    /** The grant that a token belongs to, whether it is alive or not. */
    identify: (kind: Issued["kind"], token: string): PresentedGrant | undefined => {
      const issued = find(kind, token)
      return issued && { id: issued.consent.id, generation: issued.generation }
    }
  }
}

export type Authorization = ReturnType<typeof make>
