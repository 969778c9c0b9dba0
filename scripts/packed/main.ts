// Packs the packages, installs them where nothing else is, and makes an update with them wherever they say they run.
// Prints a table, and exits with 1 when anything in it failed.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Effect from "effect/Effect"
import * as Postgres from "../../packages/sql/test/support/postgres.ts"
import { checkByAttw, checkByPublint, type Packed, packAll } from "./packages.ts"
import {
  checkFiles,
  checkOneEffect,
  checkUnitTests,
  checkWithoutCluster,
  installApplication,
  installCommand,
  installEverything,
  installFleet,
  installLowest,
  installTools,
  installUnitTests
} from "./projects.ts"
import { run } from "./run.ts"
import { find, update } from "./runtimes.ts"
import { bundlers, testByJest } from "./tools.ts"
import { type Compiler, checkTypes, compilers, describe, modes, strictest } from "./types.ts"
import { bundle, updateInChromium, updateInWorker } from "./web.ts"

interface Row {
  readonly what: string
  readonly how: string
  readonly result: string
}

// Those of a group stand together, whoever is done first.
const groups = {
  packed: [] as Array<Row>,
  command: [] as Array<Row>,
  application: [] as Array<Row>,
  fleet: [] as Array<Row>,
  lowest: [] as Array<Row>,
  everything: [] as Array<Row>
}

const allRows = (): ReadonlyArray<Row> => Object.values(groups).flat()

const textOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error))
    .trim()
    .replaceAll(/\s*\n\s*/g, " / ")
    .slice(0, 600)

/** All are tried, and each that fails says why. */
const row = async (
  group: keyof typeof groups,
  what: string,
  how: string,
  attempt: () => Promise<unknown>
): Promise<void> => {
  const entry = { what, how, result: "ok" }
  groups[group].push(entry)
  const start = performance.now()
  await attempt().catch((error) => {
    entry.result = `failed: ${textOf(error)}`
  })
  console.error(`${what}, ${how}: ${entry.result} (${((performance.now() - start) / 1000).toFixed(1)} s)`)
}

const once = <A>(make: () => Promise<A>): (() => Promise<A>) => {
  let made: Promise<A> | undefined
  return () => {
    made ??= make()
    return made
  }
}

const systems = [
  { how: "import", file: "update.mjs" },
  { how: "require", file: "update.cjs" }
] as const

const fetching = { how: "fetch", file: "fetch.mjs" }

const application = async (parent: string, all: ReadonlyArray<Packed>, server: string): Promise<void> => {
  const install = once(() => installApplication(join(parent, "application"), all))
  await row("application", "application", "effect is installed once", async () =>
    checkOneEffect(await install())
  )
  await row("application", "unit tests", "install no HTTP server", async () =>
    checkUnitTests(await install(), await installUnitTests(join(parent, "unit-tests"), all))
  )
  await row("application", "application", "installs no cluster", async () =>
    checkWithoutCluster(await install())
  )
  const runtimes = [
    ...[20, 22, 24, 26].map((major) => ({
      name: `Node.js ${major}`,
      command: once(() => find.node(major, parent))
    })),
    { name: "Bun", command: once(() => find.bun(parent)) },
    { name: "Deno", command: once(() => find.deno(parent)) }
  ]
  for (const { command, name } of runtimes)
    for (const { file, how } of [...systems, fetching])
      await row("application", name, how, async () => update(await command(), await install(), file, server))
  const tools = once(() => installTools(join(parent, "tools"), all))
  // The oldest, which lacks modules that undici would load if it could.
  const oldest = once(() => find.node(20, parent))
  for (const [how, bundle] of Object.entries(bundlers))
    await row("application", "bundle for Node.js 20", how, async () =>
      update(await oldest(), await tools(), await bundle(await tools()), server)
    )
  await row("application", "unit tests", "jest", async () => testByJest(await tools(), server))
  await row("application", "worker, fetch", "bundle", async () =>
    updateInWorker(await bundle(await install(), ["worker", "browser"]), server)
  )
  await row("application", "Chromium, fetch", "bundle", async () =>
    updateInChromium(await bundle(await install(), ["browser"]), server)
  )
}

/** Paths that can be imported, and paths that must not be. */
const surfaceOf = ({ modules, name }: Packed): ReadonlyArray<string> => [
  name,
  `${name}/package.json`,
  ...modules.map((module) => `${name}/${module}`),
  `!${name}/internal/state`
]

const surface = async (
  group: keyof typeof groups,
  what: string,
  install: () => Promise<string>,
  packages: ReadonlyArray<Packed>
): Promise<void> => {
  for (const [how, file] of [
    ["every path, import", "surface.mjs"],
    ["every path, require", "surface.cjs"]
  ] as const)
    await row(group, what, how, async () => {
      const cwd = await install()
      return run([process.execPath, join(cwd, file), ...packages.flatMap(surfaceOf)], { cwd })
    })
}

/** With the oldest of what the packages say they work with: what runs in production, and what tests it. */
const lowest = async (parent: string, all: ReadonlyArray<Packed>, server: string): Promise<void> => {
  // The fleet's are later still.
  const without = (other: string) => all.filter(({ name }) => name !== other && name !== "@effect-pleo/fleet")
  for (const [what, packages, consumers] of [
    ["oldest peers", without("@effect-pleo/testing"), ["types"]],
    // The sandbox's peers are later than the oldest that SQL accepts.
    ["oldest peers, sandbox", without("@effect-pleo/sql"), ["sandbox"]]
  ] as const) {
    const install = once(() => installLowest(join(parent, what.replaceAll(/\W+/g, "-")), packages))
    await row("lowest", what, "effect is installed once", async () => checkOneEffect(await install()))
    for (const { file, how } of systems)
      await row("lowest", what, how, async () => update([process.execPath], await install(), file, server))
    await surface("lowest", what, install, packages)
    await row("lowest", what, `TypeScript ${compilers["typescript-7"]}, ${strictest.name}`, async () =>
      checkTypes(await install(), "typescript-7", strictest, consumers)
    )
  }
}

const fleet = async (parent: string, all: ReadonlyArray<Packed>, server: string): Promise<void> => {
  const install = once(() => installFleet(join(parent, "fleet"), all))
  const start = async (database: string) => {
    const cwd = await install()
    return run([process.execPath, join(cwd, "fleet.mjs")], {
      cwd,
      env: { PLEO_SERVER: server, DATABASE: database }
    })
  }
  await row("fleet", "fleet", "effect is installed once", async () => checkOneEffect(await install()))
  await row("fleet", "fleet", "SQLite", () => start("fleet.db"))
  await row("fleet", "fleet", "PostgreSQL", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.flatMap(Postgres.make, ({ create }) =>
          Effect.flatMap(create, (url) => Effect.promise(() => start(url)))
        )
      )
    )
  )
}

const everything = async (parent: string, all: ReadonlyArray<Packed>): Promise<void> => {
  const install = once(() => installEverything(join(parent, "everything"), all))
  await row("everything", "all packages", "effect is installed once", async () =>
    checkOneEffect(await install())
  )
  await surface("everything", "all packages", install, all)
  for (const { name } of all)
    await row("everything", name, "maps lead to files, README, LICENSE", async () =>
      checkFiles(join(await install(), "node_modules", name))
    )
  for (const [compiler, version] of Object.entries(compilers))
    for (const mode of modes)
      await row("everything", `TypeScript ${version}`, describe(compiler as Compiler, mode), async () =>
        checkTypes(await install(), compiler as Compiler, mode, ["types", "sandbox"])
      )
}

const packed = async (all: ReadonlyArray<Packed>): Promise<void> => {
  for (const each of all) {
    await row("packed", each.name, "publint", () => checkByPublint(each.tarball))
    await row("packed", each.name, "attw", () => checkByAttw(each))
  }
}

/** The first start of a command that was just installed. */
const command = async (
  parent: string,
  tarball: string,
  all: ReadonlyArray<Packed>,
  server: string
): Promise<void> => {
  const what = "@effect-pleo/cli"
  const install = once(() => installCommand(join(parent, "command"), tarball, all))
  await row("command", what, "publint", () => checkByPublint(tarball))
  await row("command", what, "effect is installed once", async () => checkOneEffect(await install()))
  await row("command", what, "maps lead to files, README, LICENSE", async () =>
    checkFiles(join(await install(), "node_modules", what))
  )
  const start = async (...args: ReadonlyArray<string>) =>
    run(["npx", "effect-pleo", ...args], {
      cwd: await install(),
      env: {
        PLEO_SERVER: server,
        PLEO_TOKEN_ENDPOINT: `${server}/oauth/token`,
        PLEO_CLIENT_ID: "client",
        PLEO_CLIENT_SECRET: "secret"
      }
    })
  await row("command", what, "tenants", async () => {
    writeFileSync(join(await install(), "tokens.db"), "")
    return start("tenants", "--store", "sqlite:tokens.db")
  })
  await row("command", what, "fleet set", () =>
    start("fleet", "set", "ACTIVATED", "acme", "--fleet", "sqlite:fleet.db")
  )
  await row("command", what, "update", async () => {
    writeFileSync(join(await install(), "token"), "token-command")
    return start("update", "ACTIVATED", "--credential-file", "token")
  })
}

const table = (): string => {
  const lines = [
    ["what", "how", "result"],
    ["---", "---", "---"],
    ...allRows().map(({ how, result, what }) => [what, how, result])
  ]
  const width = (column: number) => Math.max(...lines.map((line) => line[column]?.length ?? 0))
  const widths = [width(0), width(1)]
  return lines
    .map((line) => `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`)
    .join("\n")
}

const main = async (server: string): Promise<void> => {
  const parent = mkdtempSync(join(tmpdir(), "effect-pleo-packed-"))
  try {
    const { command: tarball, libraries: all } = await packAll(join(parent, "tarballs"))
    // Two at a time: most of it waits for one core, or for the network.
    await Promise.all([
      application(parent, all, server).then(() => lowest(parent, all, server)),
      packed(all)
        .then(() => command(parent, tarball, all, server))
        .then(() => fleet(parent, all, server))
        .then(() => everything(parent, all))
    ])
  } finally {
    rmSync(parent, { recursive: true, force: true })
  }
  const rows = allRows()
  console.log(table())
  const failed = rows.filter(({ result }) => result !== "ok").length
  console.log(`\n${rows.length - failed} ok, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}

await Effect.runPromise(
  Effect.flatMap(Sandbox.Sandbox, ({ url }) => Effect.promise(() => main(url))).pipe(
    Effect.provide(Sandbox.layer())
  )
)
