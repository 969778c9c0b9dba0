import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"

interface Import {
  readonly file: string
  readonly specifier: string
}

/** What the sources of a package import or re-export, types included. */
const importsOf = (name: string): ReadonlyArray<Import> => {
  const src = new URL(`../../${name}/src/`, import.meta.url)
  return readdirSync(src, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) =>
      [
        ...readFileSync(new URL(file, src), "utf8")
          // Examples in docstrings import what they like.
          .replace(/^ *\/\*\*[\s\S]*?\*\//gm, "")
          .matchAll(/\b(?:from|import|require)\b[\s(]*["']([^"']+)["']/g)
      ].map(([, specifier = ""]) => ({ file, specifier }))
    )
}

const packageOf = (specifier: string) =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")

const installedWith = (name: string): ReadonlyArray<string> => {
  const manifest = JSON.parse(readFileSync(new URL(`../../${name}/package.json`, import.meta.url), "utf8"))
  return Object.keys({
    ...manifest.dependencies,
    ...manifest.optionalDependencies,
    ...manifest.peerDependencies
  })
}

const heavy = ["platform-node", "platform-node-shared", "cluster", "rpc", "sql", "workflow"].map(
  (name) => `@effect/${name}`
)

const isHeavy = ({ specifier }: Import) => heavy.includes(packageOf(specifier))

describe.each(["core", "node"])("@effect-pleo/%s", (name) => {
  it("does not install @effect/platform-node or its dependencies", () => {
    expect(installedWith(name)).toContain("@effect/platform")
    expect(installedWith(name).filter((it) => heavy.includes(it))).toEqual([])
  })

  it("imports nothing of @effect/platform-node, nor of what that drags in", () => {
    // The sandbox, which does, shows that it would be found.
    expect(importsOf("testing").filter(isHeavy)).not.toEqual([])
    expect(importsOf(name).filter(isHeavy)).toEqual([])
  })

  it("imports modules, not the barrels that are slow to load", () => {
    const barrels = importsOf(name).filter(({ specifier }) =>
      /^(effect|@effect(-pleo)?\/[^/]+)$/.test(specifier)
    )
    expect(barrels).toEqual([])
  })

  it("imports only packages that its package.json brings along", () => {
    const packages = importsOf(name)
      .map(({ specifier }) => packageOf(specifier))
      .filter((it) => !it.startsWith(".") && !it.startsWith("node:"))
    expect(packages).toContain("effect")
    expect(packages.filter((it) => !installedWith(name).includes(it))).toEqual([])
  })
})
