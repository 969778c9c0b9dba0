import { fileURLToPath } from "node:url"
import { type Application, applications, fileOf } from "./applications/index.ts"
import { type Bundle, bundleAll, bundleOwn } from "./bundle.ts"

export interface Size {
  /** In bytes, minified. */
  readonly minified: number
  /** In bytes, minified and compressed by gzip at level 9. */
  readonly gzipped: number
}

export interface Sizes {
  /** Both packages, all that they export, without what they depend on. */
  readonly own: Size
  /** What of them the first example of the README needs. */
  readonly ownOfExample: Size
  /** The first example of the README, with everything in it. */
  readonly example: Size
  readonly applications: ReadonlyArray<Size & { readonly name: Application }>
}

/** How much of both packages an application may need that updates an installation, gzipped. */
export const maxOwnSize = 18_100

const own = fileURLToPath(new URL("own.ts", import.meta.url))

export const needed = fileURLToPath(new URL("needed.ts", import.meta.url))

const example = fileURLToPath(new URL("../../../examples/readme.ts", import.meta.url))

const sizeOf = ({ gzipped, size }: Bundle): Size => ({ minified: size, gzipped })

export const measureSizes = async (): Promise<Sizes> => {
  return {
    own: sizeOf(await bundleOwn(own)),
    ownOfExample: sizeOf(await bundleOwn(needed)),
    example: sizeOf(await bundleAll(example)),
    applications: await Promise.all(
      applications.map(async (name) => ({ name, ...sizeOf(await bundleAll(fileOf(name))) }))
    )
  }
}
