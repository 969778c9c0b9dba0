import { Session } from "node:inspector"

type Evaluated = { readonly result: { readonly objectId?: string; readonly value?: unknown } }

/** The size of a private Map or Set of an object, which only a debugger can see. */
export const privateSize = (object: object, name: `#${string}`): number => {
  const session = new Session()
  session.connect()
  // The inspector answers before `post` returns.
  const post = <A>(method: string, params: object): A => {
    let answer: A | undefined
    session.post(method, params, (error, result) => {
      if (error !== null) throw error
      answer = result as A
    })
    if (answer === undefined) throw new Error(`${method} was not answered`)
    return answer
  }
  const key = "@effect-pleo/core/test/inspected"
  try {
    Object.defineProperty(globalThis, key, { configurable: true, value: object })
    const { result } = post<Evaluated>("Runtime.evaluate", { expression: `globalThis["${key}"]` })
    const { privateProperties = [] } = post<{
      readonly privateProperties?: ReadonlyArray<{
        readonly name: string
        readonly value: { readonly objectId: string }
      }>
    }>("Runtime.getProperties", { objectId: result.objectId, ownProperties: true })
    const objectId = privateProperties.find((property) => property.name === name)?.value.objectId
    const size = post<Evaluated>("Runtime.callFunctionOn", {
      objectId,
      functionDeclaration: "function () { return this.size }",
      returnByValue: true
    }).result.value
    if (typeof size !== "number") throw new Error(`${name} has no size`)
    return size
  } finally {
    Reflect.deleteProperty(globalThis, key)
    session.disconnect()
  }
}
