// The page on which a person decides what an app may do.
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { authorizePath } from "./api.ts"
import { type AuthorizationRequest, decide, defaultCompany, type Refusal, read } from "./consent.ts"
import { html, page, redirect } from "./html.ts"
import { SandboxState } from "./state.ts"

const refusal = (refusal: Refusal) =>
  "location" in refusal
    ? redirect(refusal.location)
    : page(
        "Invalid request",
        html`<h1>This request cannot be authorized</h1>
<p>${refusal.message}</p>
<p class="muted">You stay here, since the app's own address is not known for sure.</p>`,
        { status: 400 }
      )

const form = ({ clientId, redirectUri, scopes }: AuthorizationRequest) =>
  page(
    `Authorize ${clientId}`,
    html`<p class="muted">Sandbox on this machine: nothing reaches Pleo.</p>
<h1>Authorize ${clientId}?</h1>
<p>The app <strong>${clientId}</strong> asks for access to a company.</p>
<h2>Scopes</h2>
<ul>
${scopes.map((scope) => html`<li><code>${scope}</code></li>\n`)}</ul>
<form method="post">
<label for="company">Company</label>
<input id="company" name="company" value="${defaultCompany}" required maxlength="100" autocomplete="off" aria-describedby="about-company">
<p id="about-company" class="muted">The same name is the same company, with the same installation.</p>
<p>
<button class="primary large" name="decision" value="approve">Approve</button>
<button class="large" name="decision" value="deny" formnovalidate>Deny</button>
</p>
</form>
<p class="muted">Both lead back to ${new URL(redirectUri).origin}.</p>`
  )

// The form is posted to the address of its page, so the authorization request is the query of both.
const requestOf = ({ url }: HttpServerRequest.HttpServerRequest, { registered }: SandboxState["Type"]) =>
  read(new URLSearchParams(url.replace(/^[^?]*/, "")), registered)

const decisionIn = (body: string) => {
  const form = new URLSearchParams(body)
  const decision = form.get("decision")
  return decision === "approve" || decision === "deny"
    ? Either.right({ approve: decision === "approve", company: form.get("company") ?? "" })
    : Either.left({ message: "decision: expected approve or deny." })
}

export const layer = HttpApiBuilder.Router.use((router) =>
  Effect.gen(function* () {
    const state = yield* SandboxState
    const { HttpServerRequest: Request } = HttpServerRequest
    yield* router.get(
      authorizePath,
      Effect.flatMap(Request, (request) =>
        Effect.succeed(Either.match(requestOf(request, state), { onLeft: refusal, onRight: form }))
      )
    )
    yield* router.post(
      authorizePath,
      Effect.flatMap(Request, (request) =>
        Effect.gen(function* () {
          const authorizationRequest = yield* requestOf(request, state)
          const decision = yield* decisionIn(yield* Effect.orElseSucceed(request.text, () => ""))
          return redirect(yield* decide(state, authorizationRequest, decision))
        }).pipe(Effect.catchAll((it: Refusal) => Effect.succeed(refusal(it))))
      )
    )
  })
)
