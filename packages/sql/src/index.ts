export * as SqlTokenStore from "./SqlTokenStore.ts"
