// Samples for the laws: authorizations and keys that a store could alter or confuse.
import type { Authorization } from "@effect-pleo/core/Authorization"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"

type Tokens = Extract<Authorization, { readonly _tag: "Active" }>["tokens"]

const tokens = (
  accessToken: string,
  refreshToken: string,
  receivedAt: number,
  expiresIn?: number
): Tokens => ({
  accessToken: Redacted.make(accessToken),
  refreshToken: Redacted.make(refreshToken),
  receivedAt: DateTime.unsafeMake(receivedAt),
  ...(expiresIn === undefined ? {} : { expiresIn: Duration.millis(expiresIn) })
})

/** Has its number in every field, and another length than its neighbors. */
export const numbered = (n: number): Authorization => ({
  _tag: "Active",
  tokens: tokens(`access-${n}-${"x".repeat(n % 2 === 0 ? 4096 : 1)}`, `refresh-${n}`, n, n * 1000)
})

// Characters that quoting, escaping or an encoding could change. The last are of more than 16 bits, and of several code points.
const odd = " '\"`\\%_$1?:;--/*\0\t\r\n\u2028&<>{}[]=+~é\u0065\u0301ß中𝄞👩‍👩‍👧 "

const at = 1_767_225_600_123

export const samples: ReadonlyArray<readonly [description: string, Authorization]> = [
  ["active tokens", { _tag: "Active", tokens: tokens("access", "refresh", at, 3_600_000) }],
  ["active tokens without expiresIn", { _tag: "Active", tokens: tokens("access", "refresh", at) }],
  ["tokens of odd characters", { _tag: "Active", tokens: tokens(odd, `${odd}r`, at, 1) }],
  ["tokens of 8 KiB", { _tag: "Active", tokens: tokens("a".repeat(8192), "r".repeat(8192), at, 0) }],
  [
    "a refresh",
    {
      _tag: "Refreshing",
      tokens: tokens("access", "refresh", at, 86_400_000),
      lease: "4f0c",
      duration: Duration.millis(30_001)
    }
  ],
  [
    "a refresh of tokens without expiresIn",
    {
      _tag: "Refreshing",
      tokens: tokens("access", "refresh", at - 1),
      lease: `lease ${odd}`,
      duration: Duration.zero
    }
  ],
  ["an end by refusal", { _tag: "Ended", reason: "Refused", lease: "4f0c" }],
  ["an end by loss", { _tag: "Ended", reason: "Lost", lease: "4f0d" }]
]

/** Keys that a store may take for each other. */
export const similar = (key: string): ReadonlyArray<string> => {
  const long = key.padEnd(199, "x")
  return [
    key,
    ...[
      "a",
      "A",
      "/",
      "/a",
      "\\",
      "%",
      "%2F",
      "%2f",
      "%a",
      "_",
      "_a",
      "*",
      "?",
      "[a]",
      ".",
      "..",
      ".0",
      ".1",
      ":",
      "'",
      '"',
      "\t"
    ],
    ...[" ", "  ", " a", "é", "e", "e\u0301", "É", "ß", "ss", "中", "👍", "👎"]
  ]
    .map((end, index) => (index === 0 ? end : `${key}${end}`))
    .concat(` ${key}`, `${long}x`, `${long}y`)
}
