// The agent of one node: pods from the API become containers, and what happens to them becomes
// status, events, and the Node itself.
//
//   informer of this node's pods ──► Pods ──► a PodWorker each ──► runtime, volumes, images
//                                                    └──► StatusReporter ──► API
//
// It starts from what it knew last, with or without a server; what runs already is adopted.

import { nodes } from '../api/kinds/core/node/row.ts'
import { pods } from '../api/kinds/core/pod/row.ts'
import { services } from '../api/kinds/core/service/row.ts'
import { sysctlList } from '../api/pod/sysctls.ts'
import type { Pod, Service } from '../api/schema/generated/types.ts'
import type { Client } from '../kit/client.ts'
import type { Recorder } from '../kit/events.ts'
import type { Informer } from '../kit/informer.ts'
import type { InformerSet } from '../kit/informer-set.ts'
import { aborted, isAbort, orAbort } from '../lib/abort.ts'
import { type Clock, timeLimit } from '../lib/clock.ts'
import type { Component, Running } from '../lib/component.ts'
import type { PathOpener } from '../lib/linux/path-opener.ts'
import type { Syscalls } from '../lib/linux/syscalls.ts'
import type { Log } from '../lib/log.ts'
import type { Random } from '../lib/random.ts'
import { withTasks } from '../lib/tasks.ts'
import type { ImageStore, PodSeen, Runtime } from '../runtime/contract.ts'
import { PodVolumes } from '../volumes/volumes.ts'
import { claimReader } from './claims.ts'
import { folderOf, openFolders } from './folders.ts'
import { keepLease } from './node/lease.ts'
import { type MachineFacts, memoryProblemOf } from './node/machine.ts'
import { NodeReporter } from './node/node.ts'
import { Objects } from './objects.ts'
import type { NodeSettings } from './settings.ts'
import { AgentState } from './state.ts'
import { StatusReporter } from './status/reporter.ts'
import { createTokens } from './tokens.ts'
import { Leftovers } from './workers/leftovers.ts'
import { Pods } from './workers/pods.ts'
import { workerDeps } from './workers/worker-deps.ts'

export type AgentDeps = {
  readonly client: Client
  /** Runs by itself; the agent asks it for its pods, its Node and the Services. */
  readonly informers: InformerSet
  /** Speaks as `kubelet` of this node. */
  readonly recorder: Recorder
  readonly runtime: Runtime
  readonly images: ImageStore
  readonly syscalls: Pick<Syscalls, 'mount' | 'unmount'>
  readonly opener: PathOpener
  /** Text of /proc/self/mountinfo. */
  readonly mountinfo: () => Promise<string>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly settings: NodeSettings
  readonly machine: MachineFacts
  /** Why pods cannot run here yet (network, …): each says its problem or nothing. */
  readonly checks: readonly (() => string | undefined)[]
}

export class Agent implements Component {
  readonly name = 'agent'
  readonly #deps: AgentDeps
  readonly #node: NodeReporter
  #pods: Pods | undefined
  #volumes: PodVolumes | undefined
  readonly #known = Promise.withResolvers<void>()
  readonly #registered = Promise.withResolvers<void>()

  constructor(deps: AgentDeps) {
    this.#deps = deps
    this.#node = new NodeReporter(deps)
  }

  known(signal: AbortSignal): Promise<void> {
    return orAbort(this.#known.promise, signal)
  }

  /** With the status as this node sees it now. */
  find(namespace: string, name: string): Pod | undefined {
    return this.#pods?.find(namespace, name)
  }

  list(): readonly Pod[] {
    return this.#pods?.list() ?? []
  }

  /** Removes the folder of a volume that no pod here has; throws VolumeInUse while one does. */
  async removeVolume(name: string): Promise<void> {
    await this.#volumes?.removeLocal(name)
  }

  /** Resolves when the Node is in the API for the first time since the start. */
  get registered(): Promise<void> {
    return this.#registered.promise
  }

  /** One of `checks` has another answer: the Node is reported at once. */
  nudgeNode(): void {
    this.#node.nudge()
  }

  async start(signal: AbortSignal): Promise<Running> {
    const { settings, random, log, runtime } = this.#deps
    const folder = folderOf(settings, 'state')
    await openFolders(this.#deps, settings)
    const [state, adopted] = await Promise.all([
      AgentState.open({ folder, random, log }),
      runtime.observeAll(signal),
      this.#node.look(signal),
    ])
    return { done: this.#run(state, adopted, signal) }
  }

  async #run(
    state: AgentState,
    adopted: ReadonlyMap<string, PodSeen>,
    signal: AbortSignal,
  ): Promise<void> {
    const work = withTasks(async (start) => {
      const world = this.#connect(state, adopted, start)
      try {
        this.#follow(world, state, start)
        await aborted(signal)
      } finally {
        await world.objects.close()
        await state.settled()
      }
    }, signal)
    await work.catch((error) => {
      if (!isAbort(error, signal)) throw error
    })
  }

  /** Builds what a worker needs, and the workers' home. */
  #connect(state: AgentState, adopted: ReadonlyMap<string, PodSeen>, start: Start): World {
    const { client, clock, log, settings, machine } = this.#deps
    const sysctls = sysctlList(machine.kernelVersion, settings.allowedUnsafeSysctls)
    const memoryProblem = memoryProblemOf(machine)
    const before = new Set(state.pods.map(({ metadata }) => metadata.uid))
    const serviceInformer = this.#deps.informers.of(services)
    const reporter = new StatusReporter({ client, clock, log })
    const volumes = new PodVolumes({
      ...this.#deps,
      pods: folderOf(settings, 'pods'),
      memory: folderOf(settings, 'memory'),
      local: folderOf(settings, 'volumes'),
      claims: claimReader({ client, clock, node: () => this.#node.node }),
    })
    this.#volumes = volumes
    const objects = new Objects({
      ...this.#deps,
      onNews: (uids) => this.#pods?.objectsChanged(uids),
      onChange: (kind, { type, object }) => {
        if (type === 'deleted') {
          state.dropObject(kind, object.metadata.namespace!, object.metadata.name!)
        } else state.keepObject(kind, object)
      },
      remembered: (kind, namespace, name) => state.object(kind, namespace, name),
      forgotten: (kind, namespace, name) => state.dropObject(kind, namespace, name),
    })
    const tokens = createTokens({
      client,
      clock,
      current: (pod, volume, path) => volumes.currentText(pod, volume, path),
      mayMiss: (pod) => before.has(pod.metadata.uid),
      due: (pod, atMs) => this.#pods?.refreshAt(pod, atMs),
    })
    const parts = { ...this.#deps, volumes, objects, tokens, reporter, services: serviceInformer }
    const worker = workerDeps({ ...parts, node: () => this.#node.node })
    const leftovers = new Leftovers({ volumes, settings, log })
    this.#pods = new Pods(
      {
        clock,
        log,
        worker,
        host: () => ({ node: this.#node.node!, sysctls, memoryProblem }),
        hold: (pod) => objects.hold(pod),
        gone: (uid) => {
          state.dropPod(uid)
          reporter.forget(uid)
        },
        left: (pod) => {
          objects.release(pod.metadata.uid!)
          start(() => leftovers.removeLogs(pod.metadata.uid!))
        },
      },
      adopted,
      start,
    )
    return { pods: this.#pods, objects, reporter, leftovers, services: serviceInformer }
  }

  /** Lets the news in: from disk, from the server, from the runtime. */
  #follow(world: World, state: AgentState, start: Start): void {
    const { client, clock, log, informers, runtime, settings } = this.#deps
    const { nodeName } = settings
    if (world.services.lister.size === 0) world.services.seed(state.services)
    const own = informers.of(nodes, { fieldSelector: `metadata.name=${nodeName}` })
    own.onChange(({ type, object }) => this.#node.seen(type === 'deleted' ? undefined : object))
    const bound = informers.of(pods, { fieldSelector: `spec.nodeName=${nodeName}` })
    start(async (signal) => {
      await startPods(bound, state, clock, signal)
      bound.onChange((change) => {
        if (change.type !== 'deleted') state.keepPod(change.object)
        world.pods.podChanged(change)
      })
      this.#known.resolve()
      await clearUp(world, bound, state, signal)
    })
    start(async (signal) => {
      const stop = runtime.onChange((uid) => world.pods.runtimeChanged(uid))
      await aborted(signal)
      stop()
    })
    start((signal) => keepServices(world.services, state, clock, signal))
    start((signal) => world.reporter.run(signal))
    start((signal) => this.#node.run(() => this.#registered.resolve(), signal))
    const nodeUid = () => own.lister.get(nodeName)?.metadata.uid
    start((signal) => keepLease({ client, clock, log, nodeName, nodeUid }, signal))
  }
}

type Start = (task: (signal: AbortSignal) => Promise<void>) => void

type World = {
  readonly pods: Pods
  readonly objects: Objects
  readonly reporter: StatusReporter
  readonly leftovers: Leftovers
  readonly services: Informer<Service>
}

/** A server in the same process needs a part of this to start. */
const SERVER_WAIT_MS = 2_000
const KEEP_SERVICES_MS = 5_000

/** Services come and go often in a large cluster: one write after a burst will do. */
async function keepServices(
  services: Informer<Service>,
  state: AgentState,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let cancel: (() => void) | undefined
  const keep = () => {
    cancel = undefined
    state.keepServices(services.lister.all())
  }
  services.onChange(() => {
    if (services.isSynced) cancel ??= clock.after(KEEP_SERVICES_MS, keep)
  })
  await services.synced(signal).then(keep, () => {})
  await aborted(signal)
  cancel?.()
}

/**
 * What the server says comes before what was written down: a readiness that is a moment old would
 * take a pod out of its Services. But no server is no reason to wait for long.
 */
async function startPods(
  bound: Informer<Pod>,
  state: AgentState,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const limit = timeLimit(clock, SERVER_WAIT_MS, signal)
  try {
    await bound.synced(limit.signal)
  } catch {
    // No server for now.
    bound.seed(state.pods)
  } finally {
    limit.done()
  }
}

/** Only the server knows which pods are gone: nothing is ended before it has spoken. */
async function clearUp(
  world: World,
  bound: Informer<Pod>,
  state: AgentState,
  signal: AbortSignal,
): Promise<void> {
  try {
    await bound.synced(signal)
  } catch {
    // The agent ends before a server was in reach.
    return
  }
  const uids = new Set(bound.lister.all().map(({ metadata }) => metadata.uid!))
  const had = new Map(state.pods.map((pod) => [pod.metadata.uid!, pod]))
  for (const uid of had.keys()) if (!uids.has(uid)) state.dropPod(uid)
  world.pods.clearOrphans(
    (uid) => uids.has(uid),
    (uid) => had.get(uid),
  )
  await world.leftovers.clear((uid) => uids.has(uid) || world.pods.has(uid), new Set(had.keys()))
}
