const isTerminal = process.stdout.isTTY

export const clear = (): void => {
  if (isTerminal) process.stdout.write("\r\x1b[2K")
}

/** What is being done: a line of its own, unless there is a terminal where it can be rewritten. */
export const phase = (text: string): void => {
  if (isTerminal) step(text)
  else console.log(text)
}

/** The same in more detail, for terminals only. */
export const step = (text: string): void => {
  if (!isTerminal) return
  clear()
  process.stdout.write(text.slice(0, process.stdout.columns ?? 80))
}
