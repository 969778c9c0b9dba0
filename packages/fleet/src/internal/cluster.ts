// Partitions shared among processes by @effect/cluster: each is a singleton on a shard of its own. Runners find each other
// through PostgreSQL and send each other nothing, so none listens on a port, and no message has to be stored or deleted.
import * as MessageStorage from "@effect/cluster/MessageStorage"
import * as RunnerAddress from "@effect/cluster/RunnerAddress"
import * as RunnerHealth from "@effect/cluster/RunnerHealth"
import * as RunnerStorage from "@effect/cluster/RunnerStorage"
import * as Runners from "@effect/cluster/Runners"
import * as Sharding from "@effect/cluster/Sharding"
import * as ShardingConfig from "@effect/cluster/ShardingConfig"
import * as SqlRunnerStorage from "@effect/cluster/SqlRunnerStorage"
import type * as SqlClient from "@effect/sql/SqlClient"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { FleetError } from "./error.ts"
import type { Fence, Runner } from "./runner.ts"
import { partitions, toFleetError } from "./store.ts"

/** Milliseconds after which another runner may take over the shards of one that does not refresh its locks. */
const lockExpiration = 9000

/** Milliseconds by which the clocks of a runner and the database may drift apart in that time. */
const margin = 500

const monotonic: Effect.Effect<number> = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e6)

/** The locks of this process, by shard. */
class Locks {
  /** Until when each lock lasts, on the monotonic clock. */
  readonly until = new Map<string, number>()
  /** Open while no partition of the shard is drained. */
  readonly idle = new Map<string, Effect.Latch>()

  idleOf(shard: string): Effect.Latch {
    const known = this.idle.get(shard)
    if (known !== undefined) return known
    const latch = Effect.unsafeMakeLatch(true)
    this.idle.set(shard, latch)
    return latch
  }
}

/**
 * A storage that notes how long each lock lasts: from before it was asked for, so never longer than the database has it.
 * A lock is released once nothing is in flight.
 */
const noting = (storage: RunnerStorage.RunnerStorage["Type"], locks: Locks) => {
  const note = <A extends { readonly toString: () => string }, E>(held: Effect.Effect<Array<A>, E>) =>
    Effect.flatMap(monotonic, (start) =>
      Effect.tap(held, (shards) =>
        Effect.sync(() => {
          for (const shard of shards) locks.until.set(shard.toString(), start + lockExpiration - margin)
        })
      )
    )
  return RunnerStorage.RunnerStorage.of({
    ...storage,
    acquire: (address, shards) => note(storage.acquire(address, shards)),
    refresh: (address, shards) => note(storage.refresh(address, shards)),
    release: (address, shard) =>
      Effect.zipRight(locks.idleOf(shard.toString()).await, storage.release(address, shard)),
    releaseAll: (address) =>
      Effect.zipRight(
        Effect.forEach([...locks.idle.values()], (idle) => idle.await, { discard: true }),
        storage.releaseAll(address)
      )
  })
}

const sharding = (locks: Locks) =>
  Sharding.layer.pipe(
    Layer.provide(Runners.layerNoop),
    Layer.provide([MessageStorage.layerNoop, RunnerHealth.layerNoop]),
    Layer.provide(
      Layer.effect(
        RunnerStorage.RunnerStorage,
        Effect.map(RunnerStorage.RunnerStorage, (storage) => noting(storage, locks))
      ).pipe(Layer.provide(SqlRunnerStorage.layerWith({ prefix: "effect_pleo_fleet" })))
    ),
    Layer.provide(
      Layer.sync(ShardingConfig.ShardingConfig, () => ({
        ...ShardingConfig.defaults,
        // A name of this process, not an address.
        runnerAddress: Option.some(RunnerAddress.make(crypto.randomUUID(), 0)),
        shardsPerGroup: partitions,
        shardLockExpiration: lockExpiration,
        shardLockRefreshInterval: lockExpiration / 3,
        // Those of a frozen process last as long as its connection.
        shardLockDisableAdvisory: true,
        refreshAssignmentsInterval: 1000,
        entityMessagePollInterval: 1000
      }))
    )
  )

/** A name of a singleton for each shard. */
const names = (service: Sharding.Sharding["Type"]): ReadonlyArray<readonly [string, string]> => {
  const byShard = new Map<string, string>()
  for (let index = 0; byShard.size < partitions; index++) {
    const name = `partition-${index}`
    const shard = service.getShardId(name as never, "default").toString()
    if (!byShard.has(shard)) byShard.set(shard, name)
  }
  return [...byShard]
}

export interface Cluster {
  readonly fence: Fence
  /** Sends the rows of the partitions that this process is assigned, until the scope closes. */
  readonly run: (runner: Runner) => Effect.Effect<void, never, Scope.Scope>
}

export const make: Effect.Effect<Cluster, FleetError, SqlClient.SqlClient | Scope.Scope> = Effect.gen(
  function* () {
    const locks = new Locks()
    const context = yield* Layer.build(sharding(locks)).pipe(Effect.mapError(toFleetError))
    const service = Context.get(context, Sharding.Sharding)
    const clock = yield* Effect.clock
    const shards = names(service)
    return {
      fence: {
        left: (partition) =>
          (locks.until.get(shards[partition]?.[0] ?? "") ?? 0) - Number(clock.unsafeCurrentTimeNanos()) / 1e6
      },
      run: (runner) =>
        Effect.gen(function* () {
          for (const [partition, [shard, name]] of shards.entries()) {
            const idle = locks.idleOf(shard)
            const drain = Effect.acquireUseRelease(
              idle.close,
              () => runner.drain(partition),
              () => idle.open
            )
            yield* service.registerSingleton(name, drain)
          }
          yield* Effect.addFinalizer(() => runner.stop)
        })
    }
  }
)
