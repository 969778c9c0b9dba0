import type { Plugin } from "esbuild"

const bare = /^[^./]/

const isOwn = (specifier: string): boolean => specifier.startsWith("@effect-pleo/")

/** Whether an import is of a package that is not of this repository, whose own packages are TypeScript. */
export const isInstalled = (specifier: string): boolean => bare.test(specifier) && !isOwn(specifier)

/** Leaves every installed package out, and tells of each module that is left out. */
export const withoutPackages = (onExternal: (specifier: string) => void = () => {}): Plugin => ({
  name: "without-packages",
  setup: ({ onResolve }) =>
    onResolve({ filter: bare }, ({ kind, path }) => {
      if (kind === "entry-point" || !isInstalled(path)) return undefined
      onExternal(path)
      return { path, external: true }
    })
})
