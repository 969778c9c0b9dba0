// Modules whose examples still have imports and any length, and that the bounds of `docstrings.ts` do not count.
const lenient = [
  "packages/sandbox/",
  "packages/core/src/InstallationArbitrary.ts",
  "packages/core/src/InstallationServiceTest.ts",
  "packages/core/src/TokenStoreConformance.ts"
]

export const isLenient = (file: string): boolean => lenient.some((prefix) => file.startsWith(prefix))
