// All that an application can import of both packages.
export * from "@effect-pleo/core"
export * from "@effect-pleo/node"
