import * as NodeKeyValueStore from "@effect/platform-node/NodeKeyValueStore"
import { KeyValueTokenStore, OAuth } from "@effect-pleo/core"
import { NodeInstallationService } from "@effect-pleo/node"
import * as Layer from "effect/Layer"

// A directory that only this user may enter.
export const live = (directory: string) =>
  NodeInstallationService.layerConfig({ credentials: OAuth.config }).pipe(
    Layer.provideMerge(KeyValueTokenStore.layer),
    Layer.provide(NodeKeyValueStore.layerFileSystem(directory))
  )
