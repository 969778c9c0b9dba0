// The sandbox's own page: what it holds, live, and what a person can change.
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { controlPrefix, type GrantState, type RecordedRequest } from "./api.ts"
import { type Html, html, page } from "./html.ts"
import { pageScript } from "./pageScript.ts"
import { SandboxState } from "./state.ts"

type State = SandboxState["Type"]

const scriptPath = `${controlPrefix}/page.js` as const
const eventsPath = `${controlPrefix}/events` as const

/** The most that the page shows of each kind. */
const limit = 200

const time = (at: DateTime.Utc): Html => {
  const iso = DateTime.formatIso(at)
  return html`<time datetime="${iso}" title="${iso}">${iso.slice(11, 19)}</time>`
}

const list = (items: ReadonlyArray<Html>, otherwise: string): Html =>
  items.length === 0
    ? html`<p class="muted">${otherwise}</p>`
    : html`<ul class="items">${items.slice(-limit)}</ul>${
        items.length > limit ? html`<p class="muted">The last ${limit} of ${items.length}.</p>` : ""
      }`

const button = (id: string, method: string, path: string, text: string, of: string): Html =>
  html`<button type="button" id="${id}" data-method="${method}" data-path="${controlPrefix}/${path}" aria-label="${text}: ${of}">${text}</button>`

const installations = ({ marketplace, names }: State): Html =>
  list(
    Array.from(
      marketplace.installations,
      ([key, { errorCode, metadata, status, updatedAt }]) => html`<li>
<strong class="grow">${names.of(key)}</strong>
<span>${status}</span>
${errorCode === undefined ? "" : html`<span class="bad">${errorCode}</span>`}
${time(updatedAt)}
${Object.keys(metadata).length === 0 ? "" : html`<code>${JSON.stringify(metadata)}</code>`}
</li>`
    ),
    "None yet. An update with any bearer token or API key makes one."
  )

const grant = ({ clientId, expiresAt, id, owner, scopes, state }: GrantState): Html => html`<li>
<strong class="grow">${owner}</strong>
<span>${state}</span>
${expiresAt === null || state !== "live" ? "" : html`<span>until ${time(expiresAt)}</span>`}
${clientId === undefined ? "" : html`<span class="muted">${clientId}</span>`}
${scopes.length === 0 ? "" : html`<code>${scopes.join(" ")}</code>`}
${state === "live" ? button(`expire-${id}`, "POST", `grants/${id}/expire`, "Expire", owner) : ""}
${state === "revoked" ? "" : button(`revoke-${id}`, "DELETE", `grants/${id}`, "Revoke", owner)}
</li>`

const faults = ({ marketplace }: State): Html =>
  list(
    marketplace.faults.map(
      ({ id, left, plan: { label, path } }) => html`<li>
<strong class="grow">${label}</strong>
${path === undefined ? "" : html`<code>${path}</code>`}
<span>${Number.isFinite(left) ? `${left} left` : "for all"}</span>
${button(`fault-${id}`, "DELETE", `faults/${id}`, "Take back", `${label}, fault ${id}`)}
</li>`
    ),
    "None pending."
  )

const sections = (state: State, grants: ReadonlyArray<GrantState>) => ({
  faults: faults(state).html,
  installations: installations(state).html,
  grants: list(grants.map(grant), "None yet. A customer's consent makes one.").html
})

// A query may hold anything, and is in the record.
const request = (
  { at, fault, installation, method, path, status }: RecordedRequest,
  index: number
): Html => html`<li id="request-${index}">${time(at)}
<span class="grow">${method} ${path.replace(/\?.*$/s, "")}</span>
<span class="${status !== null && status < 400 ? "" : "bad"}">${status ?? "no response"}</span>
${fault === undefined ? "" : html`<span class="bad">${fault}</span>`}
${installation === undefined ? "" : html`<span class="muted">${installation}</span>`}</li>`

const section = (
  id: string,
  title: string,
  content: Html
): Html => html`<section aria-labelledby="${id}-title">
<h2 id="${id}-title" tabindex="-1">${title}</h2>
${content}
</section>`

const form = html`<form id="inject" class="fields">
<div><label for="kind">Fault</label><select id="kind" name="kind">
<option>status</option><option>delay</option><option>resetConnection</option><option>loseResponse</option>
<option>stallResponse</option><option>malformedResponse</option>
</select></div>
<div><label for="status">Status</label><input id="status" name="status" type="number" min="200" max="999" value="503" required></div>
<div><label for="duration">Milliseconds</label><input id="duration" name="duration" type="number" min="0" value="5000" required></div>
<div><label for="times">Times</label><input id="times" name="times" type="number" min="1" value="1" required></div>
<div><label for="path">Path</label><input id="path" name="path" placeholder="all" autocomplete="off"></div>
<button class="primary large">Inject</button>
</form>
<p id="problem" class="bad" role="alert"></p>`

const render = (state: State, now: number) => {
  const live = sections(state, state.authorization.list(now))
  const { entries, offset } = state.marketplace.record.last(limit)
  const requests = entries.map((entry, index) => request(entry, offset + index + 1))
  return page(
    "Pleo sandbox",
    html`<header data-sandbox="${state.id}">
<h1>Pleo sandbox</h1>
<p class="muted">On this machine: nothing reaches Pleo. Times are UTC. <span id="connection" role="status">Connecting.</span></p>
</header>
<div class="columns">
<div>
${section("faults", "Faults", html`${form}<div id="faults">${{ html: live.faults }}</div>`)}
${section("installations", "Installations", html`<div id="installations">${{ html: live.installations }}</div>`)}
${section("grants", "Grants", html`<div id="grants">${{ html: live.grants }}</div>`)}
</div>
${section(
  "requests",
  "Requests",
  html`<div class="log" role="log" aria-live="polite" aria-labelledby="requests-title" tabindex="0"><ol id="requests" class="items">${requests.reverse()}</ol></div>`
)}
</div>`,
    { script: scriptPath }
  )
}

/** The changes since the last time: everything at first. */
const makeNews = (state: State) => {
  const sent = new Map<string, string>()
  const sentRequests = new Map<number, RecordedRequest>()
  let sandbox: string | undefined = state.id
  return (grants: ReadonlyArray<GrantState>) => {
    const changed = Object.entries(sections(state, grants)).filter(([id, html]) => sent.get(id) !== html)
    for (const [id, html] of changed) sent.set(id, html)
    const { entries, offset } = state.marketplace.record.last(limit)
    const requests = entries.flatMap((entry, index) => {
      const number = offset + index + 1
      if (sentRequests.get(number) === entry) return []
      sentRequests.set(number, entry)
      sentRequests.delete(number - limit)
      return [request(entry, number).html]
    })
    const news = { sandbox, sections: Object.fromEntries(changed), requests, limit }
    sandbox = undefined
    return `data: ${JSON.stringify(news)}\n\n`
  }
}

/** Each change as an event, from a client's arrival until it leaves. */
const events = (state: State): Stream.Stream<Uint8Array> =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const changes = yield* Queue.sliding<void>(1)
      const listener = () => {
        Queue.unsafeOffer(changes, undefined)
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => state.listeners.add(listener)),
        () => Effect.sync(() => state.listeners.delete(listener))
      )
      const news = makeNews(state)
      const encoder = new TextEncoder()
      const now = Effect.map(Clock.currentTimeMillis, (now) => ({
        now,
        grants: state.authorization.list(now)
      }))
      // An access token expires without an event.
      const next = Effect.flatMap(now, ({ grants, now }) => {
        const expiries = grants.flatMap(({ expiresAt, state }) =>
          state === "live" && expiresAt !== null ? [DateTime.toEpochMillis(expiresAt) - now] : []
        )
        return Effect.timeoutOption(Queue.take(changes), Math.min(...expiries, 3_600_000))
      })
      const event = Effect.map(now, ({ grants }) => encoder.encode(news(grants)))
      return Stream.concat(
        Stream.fromEffect(event),
        // The server makes its handlers uninterruptible.
        Stream.repeatEffect(Effect.zipRight(Effect.interruptible(next), event))
      )
    })
  )

export const layer = HttpApiBuilder.Router.use((router) =>
  Effect.gen(function* () {
    const state = yield* SandboxState
    yield* router.get(
      "/",
      Effect.map(Clock.currentTimeMillis, (now) => render(state, now))
    )
    yield* router.get(
      scriptPath,
      Effect.succeed(
        HttpServerResponse.text(pageScript, {
          headers: { "cache-control": "no-store", "x-content-type-options": "nosniff" },
          contentType: "text/javascript; charset=utf-8"
        })
      )
    )
    yield* router.get(
      eventsPath,
      Effect.sync(() =>
        HttpServerResponse.stream(events(state), {
          headers: { "cache-control": "no-store" },
          contentType: "text/event-stream"
        })
      )
    )
  })
)
