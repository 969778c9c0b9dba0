import commonjs from "@rollup/plugin-commonjs"
import resolve from "@rollup/plugin-node-resolve"

export default {
  input: "bundled.mjs",
  output: { file: "bundled.rollup.cjs", format: "cjs", inlineDynamicImports: true },
  onwarn: () => {},
  plugins: [
    resolve({ exportConditions: ["node"], preferBuiltins: true }),
    commonjs({ ignore: ["node:sqlite"] })
  ]
}
