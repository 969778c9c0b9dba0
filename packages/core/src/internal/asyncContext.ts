/**
 * Calls a function in the current async context (that of an AsyncLocalStorage), soon after the returned function is
 * called in any other. Every runtime runs the callbacks of a promise in the context of their registration.
 */
export const bind = <A>(callback: (value: A) => void): ((value: A) => void) => {
  let call = (_: A): void => {}
  new Promise<A>((resolve) => {
    call = resolve
  }).then(callback)
  return call
}
