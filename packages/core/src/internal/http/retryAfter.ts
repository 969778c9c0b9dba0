// How long a server asks to wait (RFC 9110 section 10.2.3).
import * as Duration from "effect/Duration"
import type * as Transport from "../../Transport.ts"

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

// The three forms of RFC 9110 section 5.6.7, of which senders may still generate the first.
const dateForms = [
  /^[A-Z][a-z]{2}, (?<day>\d{2}) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<time>\d{2}:\d{2}:\d{2}) GMT$/,
  /^[A-Z][a-z]{5,8}, (?<day>\d{2})-(?<month>[A-Z][a-z]{2})-(?<year>\d{2}) (?<time>\d{2}:\d{2}:\d{2}) GMT$/,
  /^[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) (?<day>[ \d]\d) (?<time>\d{2}:\d{2}:\d{2}) (?<year>\d{4})$/
]

/** A year of two digits that seems more than 50 years ahead is the one before with the same digits. */
const fullYear = (year: string, now: number): number => {
  if (year.length === 4) return Number(year)
  const thisYear = new Date(now).getUTCFullYear()
  const sameCentury = thisYear - (thisYear % 100) + Number(year)
  return sameCentury > thisYear + 50 ? sameCentury - 100 : sameCentury
}

/** Milliseconds since the epoch. `undefined`: the text is no date. */
const parseDate = (text: string, now: number): number | undefined => {
  for (const form of dateForms) {
    const { day = "", month = "", time = "", year = "" } = form.exec(text)?.groups ?? {}
    const index = months.indexOf(month)
    if (index === -1) continue
    const [hours = 0, minutes = 0, seconds = 0] = time.split(":").map(Number)
    return Date.UTC(fullYear(year, now), index, Number(day), hours, minutes, seconds)
  }
  return undefined
}

// A comma, unless it is the one inside of a date.
const separator = /,(?!\s*\d{2}[ -][A-Z])/

const valuesOf = (header: string | ReadonlyArray<string> | undefined): ReadonlyArray<string> =>
  [header ?? []].flat().flatMap((line) => line.split(separator).map((value) => value.trim()))

// More than any clock here can count is as good as for ever: a century.
const maxSeconds = 100 * 365 * 24 * 60 * 60

/**
 * The longest wait of those that a response asks for, in seconds, fractions of which are rounded up, or by a date, which
 * is read against the server's own clock. `now` is in milliseconds since the epoch.
 */
export const retryAfterOf = ({ headers }: Transport.Response, now: number): Duration.Duration | undefined => {
  const [date = ""] = valuesOf(headers["date"])
  const sentAt = parseDate(date, now) ?? now
  const waits = valuesOf(headers["retry-after"]).flatMap((value) => {
    if (/^\d+(\.\d+)?$/.test(value)) return [1000 * Math.min(Math.ceil(Number(value)), maxSeconds)]
    const until = parseDate(value, now)
    return until === undefined ? [] : [Math.max(0, until - sentAt)]
  })
  return waits.length === 0 ? undefined : Duration.millis(Math.max(...waits))
}
