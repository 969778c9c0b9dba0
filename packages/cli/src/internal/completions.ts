// Completions for bash and zsh, from the commands' own description. Those of @effect/cli are for fish only: in bash they
// have no option of a command, and in zsh no argument.
import * as Command from "@effect/cli/Command"
import * as CommandDescriptor from "@effect/cli/CommandDescriptor"
import type * as Usage from "@effect/cli/Usage"
import * as HashMap from "effect/HashMap"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"

interface Word {
  /** `--error-code`, or `<STATUS>` of an argument. */
  readonly name: string
  /** `A | B`, `FILE` or another placeholder. A switch has none. */
  readonly value: string | undefined
}

const wordsOf = (usage: Usage.Usage): ReadonlyArray<Word> => {
  switch (usage._tag) {
    case "Named":
      return usage.names.map((name) => ({ name, value: Option.getOrUndefined(usage.acceptedValues) }))
    case "Optional":
    case "Repeated":
      return wordsOf(usage.usage)
    case "Alternation":
    case "Concat":
      return [...wordsOf(usage.left), ...wordsOf(usage.right)]
    default:
      return []
  }
}

const isOption = ({ name }: Word): boolean => name.startsWith("--")

const separator = " | "

const choicesOf = (value: string): ReadonlyArray<string> =>
  value === "SERVER" ? ["production", "staging"] : value.includes(separator) ? value.split(separator) : []

const logLevel: Word = {
  name: "--log-level",
  value: LogLevel.allLevels.map(({ _tag }) => _tag.toLowerCase()).join(separator)
}

const builtIns: ReadonlyArray<Word> = [
  logLevel,
  { name: "--completions", value: ["bash", "fish", "zsh"].join(separator) },
  { name: "--help", value: undefined },
  { name: "--version", value: undefined }
]

interface Node {
  /** Its names, such as `fleet/set`. Empty for the command itself. */
  readonly path: string
  readonly words: ReadonlyArray<Word>
  /** The names of its own commands. */
  readonly names: ReadonlyArray<string>
}

type Subcommands = ReturnType<typeof Command.getSubcommands>

/** The commands of a command that has some: the description of the whole has none of them. */
export type Groups = Readonly<Record<string, Subcommands>>

const nodesOf = (
  path: string,
  words: ReadonlyArray<Word>,
  subcommands: Subcommands,
  groups: Groups = {}
): ReadonlyArray<Node> => {
  const children = HashMap.toEntries(subcommands).sort(([a], [b]) => (a < b ? -1 : 1))
  return [
    { path, words, names: children.map(([name]) => name) },
    ...children.flatMap(([name, descriptor]) =>
      nodesOf(
        path === "" ? name : `${path}/${name}`,
        wordsOf(CommandDescriptor.getUsage(descriptor)),
        groups[name] ?? HashMap.empty()
      )
    )
  ]
}

/** For both shells: sets `choices` or `files`, from the words before the one to complete. */
const body = <Name extends string, R, E, A>(root: Command.Command<Name, R, E, A>, groups: Groups): string => {
  const nodes = nodesOf("", builtIns, Command.getSubcommands(root), groups)
  const values = new Map(
    nodes
      .flatMap(({ words }) => words)
      .flatMap((word) =>
        isOption(word) && word.value !== undefined ? [[word.name, word.value] as const] : []
      )
  )
  const branch = (pattern: string, words: ReadonlyArray<string>) =>
    `${pattern}) choices="${words.join(" ")}" ;;`
  const branches = [
    ...[...values].map(([name, value]) =>
      value === "FILE" ? `*,${name}) files=1 ;;` : branch(`*,${name}`, choicesOf(value))
    ),
    ...nodes.map(({ names, path, words }) =>
      branch(`${path},*`, [
        ...names,
        ...words.flatMap((word) =>
          isOption(word) ? [word.name] : word.value === undefined ? [] : choicesOf(word.value)
        ),
        ...(path === "" ? [] : [logLevel.name, "--help"])
      ])
    )
  ]
  const steps = nodes.flatMap(({ names, path }) =>
    names.length === 0
      ? []
      : [
          `${names.map((name) => `${path},${name}`).join("|")}) command=${path === "" ? "" : `${path}/`}$each ;;`
        ]
  )
  return `  local command= choices= files= each previous=
  for each in "\${before[@]}"; do
    previous=$each
    case "$command,$each" in
      ${steps.join("\n      ")}
    esac
  done
  case "$command,$previous" in
    ${branches.join("\n    ")}
  esac`
}

/** A script for the shell, or nothing if that of @effect/cli is right. */
export const completions = <Name extends string, R, E, A>(
  root: Command.Command<Name, R, E, A>,
  groups: Groups,
  shell: string | undefined
): string | undefined => {
  switch (shell) {
    case "sh":
    case "bash":
      return `_effect_pleo() {
  local current="\${COMP_WORDS[COMP_CWORD]}"
  local before=("\${COMP_WORDS[@]:1:COMP_CWORD-1}")
${body(root, groups)}
  if [ -n "$files" ]; then
    local IFS=$'\\n'
    COMPREPLY=($(compgen -f -- "$current"))
  else
    COMPREPLY=($(compgen -W "$choices" -- "$current"))
  fi
}
complete -o filenames -F _effect_pleo effect-pleo`
    case "zsh":
      return `#compdef effect-pleo
_effect_pleo() {
  local -a before=("\${(@)words[2,CURRENT-1]}")
${body(root, groups)}
  if [ -n "$files" ]; then
    _files
  else
    compadd -- \${=choices}
  fi
}
if [ "$funcstack[1]" = "_effect_pleo" ]; then
  _effect_pleo "$@"
else
  compdef _effect_pleo effect-pleo
fi`
    default:
      return undefined
  }
}
