/** The script of the sandbox's page, for browsers: it shows what the events bring, and carries out the buttons. */
export const pageScript = `
const get = (id) => document.getElementById(id)

const send = async (method, path, body) => {
  const problem = get("problem")
  problem.textContent = ""
  try {
    const headers = { "content-type": "application/json" }
    const response = await fetch(path, body ? { method, headers, body: JSON.stringify(body) } : { method })
    if (response.ok) return
    const { issues } = await response.json()
    problem.textContent = issues.map(({ path, message }) => path + ": " + message).join(". ")
  } catch {
    problem.textContent = "The sandbox does not respond."
  }
}

document.addEventListener("click", ({ target }) => {
  const { method, path } = target.dataset
  if (path) send(method, path)
})

const form = get("inject")
const fields = form.elements
const showFields = () => {
  for (const name of ["status", "duration"]) {
    const isUsed = name === (fields.kind.value === "delay" ? "duration" : fields.kind.value)
    fields[name].disabled = !isUsed
    fields[name].parentElement.hidden = !isUsed
  }
}
fields.kind.addEventListener("change", showFields)
showFields()

form.addEventListener("submit", (event) => {
  event.preventDefault()
  const fault = { _tag: fields.kind.value }
  for (const name of ["status", "duration"]) if (!fields[name].disabled) fault[name] = Number(fields[name].value)
  const order = { fault, times: Number(fields.times.value) }
  if (fields.path.value !== "") order.path = fields.path.value
  send("POST", "/sandbox/faults", order)
})

const replace = (id, html) => {
  const section = get(id)
  const focused = section.contains(document.activeElement) ? document.activeElement.id : undefined
  section.innerHTML = html
  if (focused !== undefined) (get(focused) ?? get(id + "-title")).focus()
}

const show = (html, limit) => {
  const template = document.createElement("template")
  template.innerHTML = html
  const next = template.content.firstElementChild
  const old = get(next.id)
  const list = get("requests")
  if (old === null) {
    list.prepend(next)
    while (list.children.length > limit) list.lastElementChild.remove()
  } else if (old.outerHTML !== next.outerHTML) old.replaceWith(next)
}

const events = new EventSource("/sandbox/events")
const connection = get("connection")
events.onerror = () => {
  connection.textContent = "Disconnected. Waiting for the sandbox."
}
events.onmessage = ({ data }) => {
  const { sandbox, sections = {}, requests = [], limit } = JSON.parse(data)
  // Another sandbox took the place of the one that this page is of.
  if (sandbox !== undefined && sandbox !== document.querySelector("[data-sandbox]").dataset.sandbox) location.reload()
  if (connection.textContent !== "Connected.") connection.textContent = "Connected."
  for (const id in sections) replace(id, sections[id])
  for (const html of requests) show(html, limit)
}
`
