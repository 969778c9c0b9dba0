import { execFile, execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { compile } from "../packages/node/test/support/program.ts"

/** As much of a registry as npm asks for: what was published, in its order. */
const registry = () => {
  const documents = new Map<string, { readonly versions: Record<string, unknown> }>()
  const published: Array<string> = []
  const server = createServer(async (request, response) => {
    const name = decodeURIComponent(request.url ?? "").slice(1)
    let body = ""
    for await (const chunk of request) body += chunk
    if (request.method === "PUT") {
      const document = JSON.parse(body)
      documents.set(name, document)
      published.push(...Object.keys(document.versions).map((version) => `${name}@${version}`))
    }
    const document = documents.get(name)
    response.writeHead(document === undefined ? 404 : 200, { "content-type": "application/json" })
    response.end(JSON.stringify(document ?? { error: "not found" }))
  })
  return { server, published }
}

describe("publish", () => {
  let directory = ""
  let fake: ReturnType<typeof registry>

  const pack = (name: string, dependencies: Record<string, string>): void => {
    mkdirSync(join(directory, "package"), { recursive: true })
    const manifest = { name: `@example/${name}`, version: "1.0.0", dependencies }
    writeFileSync(join(directory, "package/package.json"), JSON.stringify(manifest))
    execFileSync("tar", ["-czf", `${name}.tgz`, "package/package.json"], { cwd: directory })
  }

  const publish = async (): Promise<string> => {
    const registry = `127.0.0.1:${(fake.server.address() as AddressInfo).port}/`
    const userconfig = join(directory, "npmrc")
    writeFileSync(userconfig, `registry=http://${registry}\n//${registry}:_authToken=token\n`)
    const env = {
      ...process.env,
      npm_config_registry: `http://${registry}`,
      npm_config_userconfig: userconfig,
      npm_config_cache: join(directory, "cache")
    }
    const program = await compile(new URL("publish.ts", import.meta.url))
    const options = ["--access", "public", "--provenance=false", "--loglevel=error"]
    const { stdout } = await promisify(execFile)(process.execPath, [program, directory, ...options], {
      env
    })
    return stdout
  }

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "publish-"))
    fake = registry()
    await new Promise<void>((resolve) => fake.server.listen(0, "127.0.0.1", resolve))
  })

  afterEach(async () => {
    await new Promise((resolve) => fake.server.close(resolve))
    rmSync(directory, { recursive: true, force: true })
  })

  it("publishes a package after those it depends on, and what is published not again", async () => {
    pack("a", { "@example/b": "^1.0.0" })
    pack("b", {})
    await publish()
    expect(fake.published).toEqual(["@example/b@1.0.0", "@example/a@1.0.0"])

    pack("c", { "@example/a": "^1.0.0" })
    const said = await publish()
    expect(said).toContain("@example/a@1.0.0 is published already")
    expect(fake.published).toEqual(["@example/b@1.0.0", "@example/a@1.0.0", "@example/c@1.0.0"])
  }, 120_000)

  it.each(["workspace:^", "catalog:"])(
    "publishes nothing when a tarball still has %j",
    async (range) => {
      pack("a", {})
      pack("b", { "@example/a": range })
      await expect(publish()).rejects.toThrow("b.tgz")
      expect(fake.published).toEqual([])
    },
    60_000
  )
})
