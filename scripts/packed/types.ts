// Whether a consumer's compiler understands the declarations.
import { cpSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { run } from "./run.ts"

const modes = {
  node16: { options: { module: "node16", moduleResolution: "node16" }, files: ["types.mts", "types.cts"] },
  nodenext: {
    options: { module: "nodenext", moduleResolution: "nodenext" },
    files: ["types.mts", "types.cts"]
  },
  bundler: { options: { module: "esnext", moduleResolution: "bundler" }, files: ["types.ts"] }
}

export type Mode = keyof typeof modes

export const describe = (mode: Mode): string => (mode === "bundler" ? mode : `${mode}, ESM and CommonJS`)

export const checkTypes = async (directory: string, compiler: string, mode: Mode): Promise<void> => {
  const { files, options } = modes[mode]
  const cwd = join(directory, `${compiler}-${mode}`)
  mkdirSync(cwd)
  for (const file of files) cpSync(join(directory, "types.ts"), join(cwd, file))
  const compilerOptions = {
    ...options,
    target: "es2022",
    lib: ["es2022", "dom", "dom.iterable"],
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: false
  }
  writeFileSync(join(cwd, "tsconfig.json"), JSON.stringify({ compilerOptions, files }))
  await run([process.execPath, join(directory, "node_modules", compiler, "bin/tsc"), "-p", cwd], { cwd })
}
