import { update } from "../src/InstallationService.ts"
import type * as UI from "../src/UpdateInstallation.ts"
import * as UpdateInstallation from "../src/UpdateInstallation.ts"

interface Nested {
  readonly rate: number
}
interface Mine {
  readonly id: string
  readonly list: ReadonlyArray<Nested>
  readonly nested: Nested
  readonly note?: string
  readonly n: null | Nested
}
declare const mine: Mine
declare const anyValue: any
declare const json: import("../src/Metadata.ts").Json
declare const meta: import("../src/Metadata.ts").Metadata
declare const req: UI.UpdateInstallation
update(req)
update({ status: "ACTIVATED" })
update({ status: "ACTIVATED", errorCode: undefined, metadata: undefined })
update({ status: "ACTIVATED", metadata: mine })
update({ status: "ACTIVATED", metadata: meta })
update({ status: "ACTIVATED", metadata: { a: 1, b: { c: [mine, json] } } })
update({ status: "ACTIVATED", metadata: anyValue })
UpdateInstallation.activated(mine)
UpdateInstallation.error(undefined, mine)
UpdateInstallation.error()
UpdateInstallation.activated()
UpdateInstallation.activated({ a: 1 })
update(JSON.parse("{}"))
// @ts-expect-error
UpdateInstallation.activated({ a: new Date() })
// @ts-expect-error
UpdateInstallation.activated({ a: undefined })
// @ts-expect-error
UpdateInstallation.activated([1])
// @ts-expect-error
UpdateInstallation.activated("a")
// @ts-expect-error
update({ status: "ACTIVATED", metadata: { a: () => 1 } })
// @ts-expect-error
update({ status: "ACTIVATED", metadata: { a: 1n } })
// @ts-expect-error
update({ status: "BROKEN" })
// @ts-expect-error
update({ status: "ACTIVATED", other: 1 })
// @ts-expect-error
update({ status: "ACTIVATED", metadata: [mine] })
// @ts-expect-error
update({ status: "ACTIVATED", metadata: { a: new Map() } })
// @ts-expect-error
update({ metadata: {} })
// @ts-expect-error
update({ status: "ACTIVATED", metadata: { a: { b: undefined as string | undefined } } })
// @ts-expect-error
update({ status: "ACTIVATED", metadata: null })
