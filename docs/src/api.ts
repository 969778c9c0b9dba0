// The pages of the API, made of the docstrings. It fails when an export has no docstring that says something, and
// when a link in one leads nowhere.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import {
  type Comment,
  type CommentDisplayPart,
  type DeclarationReflection,
  LogLevel,
  Reflection,
  ReflectionKind,
  type TagString
} from "typedoc"
import { convert, docstringsOf } from "../../scripts/docstrings/read.ts"
import { type Module, packages, publicModules } from "../../scripts/support/modules.ts"
import { type Signatures, signaturesOf } from "./signatures.ts"

/** A module as TypeDoc and TypeScript know it. */
interface Documented extends Module {
  readonly reflection: DeclarationReflection
  readonly signatures: Signatures
}

/** What the site has to know of the API beside its pages. */
export interface Index {
  readonly packages: ReadonlyArray<{
    readonly name: string
    readonly modules: ReadonlyArray<{ readonly name: string; readonly link: string }>
  }>
  /** The addresses of `Module` and of `Module.name`. */
  readonly links: Readonly<Record<string, string>>
}

const root = fileURLToPath(new URL("../../", import.meta.url))
const out = join(root, "docs/api")

// What most look for comes first, the rest follows by name.
const categories = [
  "accessors",
  "tags",
  "constructors",
  "layers",
  "config",
  "combinators",
  "schedules",
  "guards",
  "errors",
  "schemas",
  "models",
  "*"
]

const read = async (modules: ReadonlyArray<Module>): Promise<ReadonlyArray<Documented>> => {
  const converted = await convert(
    modules.map(({ path }) => path),
    {
      logLevel: LogLevel.Warn,
      categorizeByGroup: false,
      categoryOrder: categories,
      // TypeDoc warns of any other.
      blockTags: ["@category", "@module", "@since", ...(Object.keys(shownTags) as Array<TagString>)],
      validation: { notExported: true, invalidLink: true, invalidPath: true, notDocumented: false }
    }
  )
  const { app, entryPoints, project } = converted
  app.validate(project)
  const { problems } = docstringsOf(converted)
  if (problems.length > 0) throw new Error(problems.join("\n"))

  const signatures = signaturesOf(entryPoints)
  return modules.map((module, index) => {
    const reflection = project.children?.find(({ name }) => name === module.path)
    const own = signatures[index]
    if (reflection === undefined || own === undefined) throw new Error(`${module.path} was not converted`)
    return { ...module, reflection, signatures: own }
  })
}

const linkOf = (module: Module): string => `/api/${module.package}/${module.name}`

/** The address of anything that has a docstring: that of the export which it is part of. */
const addressOf = (modules: ReadonlyArray<Documented>, reflection: Reflection): string => {
  const module = modules.find((it) => it.reflection === reflection)
  if (module !== undefined) return linkOf(module)
  const { parent } = reflection
  if (parent === undefined) throw new Error(`${reflection.getFullName()} has no page`)
  const address = addressOf(modules, parent)
  return address.includes("#") ? address : `${address}#${reflection.name}`
}

/** What VitePress would take for HTML or for an expression. */
const escapeText = (text: string): string => text.replaceAll("<", "&lt;").replaceAll("{{", "&#123;&#123;")

const markdownOf = (modules: ReadonlyArray<Documented>, parts: ReadonlyArray<CommentDisplayPart>): string =>
  parts
    .map((part) => {
      const { kind, text } = part
      if (kind === "text") return escapeText(text)
      if (kind === "code") return text
      if (kind === "relative-link") throw new Error(`a docstring links to a file: ${text}`)
      const address = part.target instanceof Reflection ? addressOf(modules, part.target) : part.target
      return `[${escapeText(text)}](${address})`
    })
    .join("")
    .trim()

/** The docstrings of a name. TypeDoc moves those of most functions to their signatures. */
const commentsOf = (module: Documented, name: string): ReadonlyArray<Comment> =>
  (module.reflection.children ?? [])
    .filter((it) => it.name === name)
    .flatMap((it) => {
      if (it.comment !== undefined) return it.comment
      const signatures = it.type?.type === "reflection" ? it.type.declaration.signatures : it.signatures
      return (signatures ?? []).flatMap(({ comment }) => comment ?? [])
    })

const capitalize = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

const fence = (code: string): string => `\`\`\`ts\n${code}\n\`\`\``

const shownTags: Readonly<Record<TagString, string>> = { "@example": "**Example**\n\n", "@see": "See " }

const tagsOf = (modules: ReadonlyArray<Documented>, comment: Comment): ReadonlyArray<string> =>
  comment.blockTags.flatMap(({ content, tag }) => {
    const title = shownTags[tag]
    return title === undefined ? [] : [title + markdownOf(modules, content)]
  })

/** One name may be a schema and its type: what either docstring says, and how both are declared. */
const exportOf = (modules: ReadonlyArray<Documented>, module: Documented, name: string): string => {
  const comments = commentsOf(module, name)
  const summaries = comments.map(({ summary }) => markdownOf(modules, summary)).filter((text) => text !== "")
  const others = comments.flatMap((comment) => tagsOf(modules, comment))
  return [
    `### ${name} {#${name}}`,
    ...(module.signatures.get(name) ?? []).map(fence),
    ...summaries,
    ...new Set(others)
  ].join("\n\n")
}

interface Category {
  readonly title: string
  readonly names: ReadonlyArray<string>
}

/** Each name once, with its value if it has one. */
const categoriesOf = ({
  reflection: { categories = [], children = [] }
}: Documented): ReadonlyArray<Category> => {
  const isValue = (it: Reflection) => !it.kindOf([ReflectionKind.Interface, ReflectionKind.TypeAlias])
  const values = new Set(children.filter(isValue).map(({ name }) => name))
  return categories
    .map(({ children, title }) => ({
      title,
      names: children.filter((it) => isValue(it) || !values.has(it.name)).map(({ name }) => name)
    }))
    .filter(({ names }) => names.length > 0)
}

const pageOf = (modules: ReadonlyArray<Documented>, module: Documented): string => {
  const summary = markdownOf(modules, module.reflection.comment?.summary ?? [])
  return [
    `# ${module.name}`,
    fence(`import { ${module.name} } from "@effect-pleo/${module.package}"`),
    summary,
    ...categoriesOf(module).flatMap(({ names, title }) => [
      `## ${capitalize(title)} {#of-${title.replaceAll(" ", "-")}}`,
      ...names.map((name) => exportOf(modules, module, name))
    ])
  ].join("\n\n")
}

const firstSentence = (text: string): string =>
  (/^[\s\S]*?[.:](?=\s|$)/.exec(text)?.[0] ?? text).replaceAll("\n", " ").replace(/:$/, ".")

const overviewOf = (modules: ReadonlyArray<Documented>): string =>
  [
    "# API",
    "Each module is a page. A package's barrel has all of its modules, and each has an import path of its own as well, such as `@effect-pleo/core/RetryPolicy`.",
    ...packages.flatMap((name) => [
      `## @effect-pleo/${name} {#${name}}`,
      [
        "| module | |",
        "| --- | --- |",
        ...modules
          .filter((it) => it.package === name)
          .map(
            (it) =>
              `| [${it.name}](${linkOf(it)}) | ${firstSentence(markdownOf(modules, it.reflection.comment?.summary ?? []))} |`
          )
      ].join("\n")
    ])
  ].join("\n\n")

const indexOf = (modules: ReadonlyArray<Documented>): Index => ({
  packages: packages.map((name) => ({
    name: `@effect-pleo/${name}`,
    modules: modules.filter((it) => it.package === name).map((it) => ({ name: it.name, link: linkOf(it) }))
  })),
  links: Object.fromEntries(
    modules.flatMap((module) => [
      [module.name, linkOf(module)],
      ...Array.from(module.signatures.keys(), (name) => [
        `${module.name}.${name}`,
        `${linkOf(module)}#${name}`
      ])
    ])
  )
})

/** Leaves what is as it should be untouched, so that a server that watches does not start all over. */
const writeAll = (files: ReadonlyMap<string, string>): void => {
  for (const [file, text] of files) {
    mkdirSync(dirname(join(out, file)), { recursive: true })
    let before: string | undefined
    try {
      before = readFileSync(join(out, file), "utf8")
    } catch {}
    if (before !== text) writeFileSync(join(out, file), text)
  }
  for (const entry of readdirSync(out, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile() && !files.has(path.slice(out.length + 1))) rmSync(path)
  }
}

/** Writes the pages, and `index.json`. */
export const generate = async (): Promise<void> => {
  const modules = await read(publicModules())
  writeAll(
    new Map([
      ...modules.map(
        (module) => [`${module.package}/${module.name}.md`, `${pageOf(modules, module)}\n`] as const
      ),
      ["index.md", `${overviewOf(modules)}\n`],
      ["index.json", JSON.stringify(indexOf(modules))]
    ])
  )
  const exports = modules.reduce((sum, { signatures }) => sum + signatures.size, 0)
  console.log(`API: ${modules.length} modules, ${exports} exports`)
}
