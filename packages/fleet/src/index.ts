export * as Fleet from "./Fleet.ts"
