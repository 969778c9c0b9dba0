// Names of the API that stand in a text as code lead to where they are documented.
import type { MarkdownRenderer } from "vitepress"

type Token = ReturnType<MarkdownRenderer["parse"]>[number]

/** `RetryPolicy`, `RetryPolicy.retry` and `RetryPolicy.retry()`; on the page of a module, `retry` too. */
const addressOf = (links: ReadonlyMap<string, string>, code: string, page: string): string | undefined => {
  const [, name] = /^([\w.]+)(?:\(.*\))?$/s.exec(code) ?? []
  if (name === undefined) return undefined
  const [, module] = /^api\/\w+\/(\w+)\.md$/.exec(page) ?? []
  return links.get(`${module}.${name}`) ?? links.get(name) ?? links.get(`InstallationError.${name}`)
}

export const linkCode = (md: MarkdownRenderer, links: ReadonlyMap<string, string>): void => {
  md.core.ruler.push("link_code", ({ env, Token, tokens }) => {
    const linked = (code: Token): Array<Token> => {
      const address = addressOf(links, code.content, env.relativePath ?? "")
      if (address === undefined) return [code]
      const open = new Token("link_open", "a", 1)
      open.attrSet("href", address)
      return [open, code, new Token("link_close", "a", -1)]
    }
    for (const [index, { children, type }] of tokens.entries()) {
      if (type !== "inline" || children === null || tokens[index - 1]?.type === "heading_open") continue
      let depth = 0
      const token = tokens[index]
      if (token !== undefined)
        token.children = children.flatMap((child) => {
          if (child.type === "link_open") depth += 1
          if (child.type === "link_close") depth -= 1
          return child.type === "code_inline" && depth === 0 ? linked(child) : [child]
        })
    }
  })
}
