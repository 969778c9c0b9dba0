export default {
  logLevel: "error",
  build: {
    ssr: "bundled.mjs",
    outDir: "vite",
    commonjsOptions: { ignore: ["node:sqlite"] },
    rollupOptions: { output: { format: "cjs", entryFileNames: "bundled.cjs" } }
  },
  ssr: { noExternal: true }
}
