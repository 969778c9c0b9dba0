// Requires all that the packages export, and nothing that they do not. The specifiers are the arguments; those that
// begin with ! must be refused.
const codeOf = (specifier) => {
  try {
    require(specifier)
    return "open"
  } catch (error) {
    return error.code
  }
}

for (const argument of process.argv.slice(2)) {
  const specifier = argument.replace(/^!/, "")
  if (!argument.startsWith("!")) require(specifier)
  else if (codeOf(specifier) !== "ERR_PACKAGE_PATH_NOT_EXPORTED") throw new Error(`${specifier} is open`)
}
