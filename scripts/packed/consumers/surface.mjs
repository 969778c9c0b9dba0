// Imports all that the packages export, and nothing that they do not. The specifiers are the arguments; those that
// begin with ! must be refused.
import { createRequire } from "node:module"

for (const argument of process.argv.slice(2)) {
  const specifier = argument.replace(/^!/, "")
  const loading = specifier.endsWith(".json")
    ? Promise.resolve().then(() => createRequire(import.meta.url)(specifier))
    : import(specifier)
  if (!argument.startsWith("!")) await loading
  else
    await loading.then(
      () => Promise.reject(new Error(`${specifier} is open`)),
      (error) => error.code === "ERR_PACKAGE_PATH_NOT_EXPORTED" || Promise.reject(error)
    )
}
