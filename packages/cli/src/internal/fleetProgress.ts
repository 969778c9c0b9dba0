// The progress of a fleet as people read it.
import * as Duration from "effect/Duration"
import type * as Json from "./json.ts"
import { visible } from "./terminal.ts"

type Progress = Json.FleetProgress

/** `6m 12s` */
const formatRemaining = (seconds: number): string => Duration.format(Duration.seconds(Math.ceil(seconds)))

const failedOf = ({ failed }: Progress): number => (failed["Refused"] ?? 0) + (failed["ReconnectNeeded"] ?? 0)

const counts = (progress: Progress): ReadonlyArray<string> => {
  const { failed, inFlight, pending, rate, remaining } = progress
  const retrying = failed["Retrying"] ?? 0
  return [
    ...(inFlight === 0 ? [] : [`${inFlight} in flight`]),
    ...(retrying === 0 ? [] : [`${retrying} retrying`]),
    ...(failedOf(progress) === 0 ? [] : [`${failedOf(progress)} failed`]),
    ...(pending === 0
      ? []
      : remaining === undefined
        ? ["nothing is sent now"]
        : [`${Math.round(rate)}/s`, `${formatRemaining(remaining)} left`])
  ]
}

/** One of several lines. */
export const plain = (progress: Progress): string =>
  [`${progress.pending} pending`, `${progress.applied} applied`, ...counts(progress)].join(", ")

const barWidth = 24

/** A line that changes, at most as wide as the terminal. `total` is the most that were pending. */
export const bar = (progress: Progress, total: number, columns: number): string => {
  const done = total === 0 ? 1 : (total - progress.pending) / total
  const filled = Math.floor(done * barWidth)
  const line = [
    `${"█".repeat(filled)}${"░".repeat(barWidth - filled)} ${Math.floor(done * 100)}%`,
    `${total - progress.pending} of ${total}`,
    ...counts(progress)
  ].join("  ")
  return line.slice(0, Math.max(0, columns - 1))
}

/** The most failures that are listed. */
const most = 20

/** The failures, and how to go on: a message says how to correct its cause. */
export const failures = (all: Json.FleetEnd["failures"]): string =>
  [
    `${all.length} ${all.length === 1 ? "customer" : "customers"} failed:`,
    ...all.slice(0, most).map(({ message, tenant }) => `  ${visible(tenant)}: ${visible(message)}`),
    ...(all.length > most ? [`  and ${all.length - most} others, which --json lists`] : []),
    "Once the cause is gone, set the state again."
  ].join("\n")
