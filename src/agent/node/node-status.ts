// The Node object as this machine reports it. Pure; reasons and messages are the kubelet's.

import { isDeepStrictEqual } from 'node:util'
import {
  compareQuantity,
  formatQuantity,
  parseQuantity,
  quantityOf,
  subtractQuantity,
  ZERO,
} from '../../api/quantity.ts'
import type {
  ContainerImage,
  Node,
  NodeCondition,
  NodeStatus,
} from '../../api/schema/generated/types.ts'
import { formatTime, parseTime } from '../../api/time.ts'
import { VOLUMES_FOLDER } from '../../api/volume/local.ts'
import type { ImageSeen } from '../../runtime/contract.ts'
import { folderOf } from '../folders.ts'
import type { NodeSettings } from '../settings.ts'
import { type MachineFacts, type MachineLoad, memoryProblemOf } from './machine.ts'

export type NodeView = {
  readonly settings: NodeSettings
  readonly machine: MachineFacts
  readonly load: MachineLoad
  /** containerd://1.6.20; undefined when the runtime does not answer. */
  readonly runtimeVersion: string | undefined
  /** Why pods cannot run here, in words for people. */
  readonly problems: readonly string[]
  readonly images: readonly ImageSeen[]
  readonly nowMs: number
}

/** Below this the kubelet would begin to evict. */
const MEMORY_BYTES_MIN = 100 * 1024 * 1024
const DISK_SHARE_MIN = 0.1
const IMAGES_MAX = 50
const NAMES_PER_IMAGE_MAX = 5
/** Posted again after this time, though nothing has changed. */
const POST_MS = 5 * 60 * 1000

/** The object to create when the node registers for the first time. */
export function newNode(view: NodeView): Node {
  const { settings } = view
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: settings.nodeName,
      labels: nodeLabels(view),
      annotations: nodeAnnotations(settings),
    },
    spec: settings.taints.length > 0 ? { taints: [...settings.taints] } : {},
    status: nodeStatus(view, undefined),
  }
}

/** What others must know of this machine to use it. */
export function nodeAnnotations(settings: NodeView['settings']): Record<string, string> {
  return {
    'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
    [VOLUMES_FOLDER]: folderOf(settings, 'volumes'),
  }
}

/** Labels that this machine knows of itself, and those it was told. */
export function nodeLabels({ settings, machine }: NodeView): Record<string, string> {
  return {
    'beta.kubernetes.io/arch': machine.architecture,
    'beta.kubernetes.io/os': 'linux',
    'kubernetes.io/arch': machine.architecture,
    'kubernetes.io/hostname': settings.nodeName,
    'kubernetes.io/os': 'linux',
    ...settings.labels,
  }
}

export function nodeStatus(view: NodeView, before: NodeStatus | undefined): NodeStatus {
  const { settings, machine, runtimeVersion = '' } = view
  const capacity = capacityOf(view)
  return {
    capacity,
    allocatable: allocatableOf(capacity, settings.reserved),
    conditions: conditionsOf(view, before?.conditions ?? []),
    addresses: [
      ...settings.addresses.map((address) => ({ type: 'InternalIP', address })),
      { type: 'Hostname', address: settings.nodeName },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: settings.port } },
    nodeInfo: {
      machineID: machine.machineId,
      systemUUID: machine.systemUuid,
      bootID: machine.bootId,
      kernelVersion: machine.kernelVersion,
      osImage: machine.osImage,
      containerRuntimeVersion: runtimeVersion || (before?.nodeInfo?.containerRuntimeVersion ?? ''),
      kubeletVersion: settings.version,
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: machine.architecture,
    },
    ...(view.images.length === 0 ? {} : { images: imageList(view.images) }),
    runtimeHandlers: ['', 'runc'].map((name) => ({
      name,
      features: { recursiveReadOnlyMounts: false, userNamespaces: false },
    })),
    features: { supplementalGroupsPolicy: true },
  }
}

function capacityOf({ settings, machine, load }: NodeView): Record<string, string> {
  const kib = (bytes: number) =>
    formatQuantity(quantityOf(Math.floor(bytes / 1024) * 1024, 'BinarySI'))
  return {
    cpu: String(machine.cpus),
    'ephemeral-storage': kib(load.diskBytes),
    ...Object.fromEntries(machine.hugePages.map((name) => [name, '0'])),
    memory: kib(machine.memoryBytes),
    pods: String(settings.podsMax),
  }
}

/** What is left for pods: without what the system keeps, and the last reserve of memory. */
export function allocatableOf(
  capacity: Readonly<Record<string, string>>,
  reserved: Readonly<Record<string, string>>,
): Record<string, string> {
  const left = (name: string, text: string) => {
    let amount = parseQuantity(text)
    if (reserved[name] !== undefined)
      amount = subtractQuantity(amount, parseQuantity(reserved[name]))
    if (name === 'memory') amount = subtractQuantity(amount, quantityOf(MEMORY_BYTES_MIN))
    return formatQuantity(compareQuantity(amount, ZERO) < 0 ? ZERO : amount)
  }
  return Object.fromEntries(
    Object.entries(capacity).map(([name, text]) => [name, left(name, text)]),
  )
}

type Draft = Pick<NodeCondition, 'type' | 'status' | 'reason' | 'message'>

function conditionsOf(view: NodeView, before: readonly NodeCondition[]): NodeCondition[] {
  const { load, nowMs } = view
  const lowMemory = load.memoryAvailableBytes < MEMORY_BYTES_MIN
  const lowDisk = load.diskAvailableBytes < load.diskBytes * DISK_SHARE_MIN
  const drafts: Draft[] = [
    pressure('MemoryPressure', lowMemory, {
      yes: ['KubeletHasInsufficientMemory', 'kubelet has insufficient memory available'],
      no: ['KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
    }),
    pressure('DiskPressure', lowDisk, {
      yes: ['KubeletHasDiskPressure', 'kubelet has disk pressure'],
      no: ['KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
    }),
    pressure('PIDPressure', false, {
      yes: ['KubeletHasInsufficientPID', 'kubelet has insufficient PID available'],
      no: ['KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
    }),
    readyOf(view),
    ...memoryLimitsOf(view, before),
  ]
  const now = formatTime(nowMs)
  return drafts.map((draft) => {
    const old = before.find(({ type }) => type === draft.type)
    const isSame = old?.status === draft.status && old.lastTransitionTime !== undefined
    const lastTransitionTime = isSame ? old.lastTransitionTime! : now
    return { ...draft, lastHeartbeatTime: now, lastTransitionTime }
  })
}

function pressure(
  type: string,
  isTrue: boolean,
  { yes, no }: { yes: readonly [string, string]; no: readonly [string, string] },
): Draft {
  const [reason, message] = isTrue ? yes : no
  return { type, status: isTrue ? 'True' : 'False', reason, message }
}

function readyOf({ runtimeVersion, problems }: NodeView): Draft {
  const all = runtimeVersion === undefined ? ['container runtime is down', ...problems] : problems
  if (all.length > 0) {
    const message = all.length === 1 ? all[0]! : `[${all.join(', ')}]`
    return { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message }
  }
  const message = 'kubelet is posting ready status'
  return { type: 'Ready', status: 'True', reason: 'KubeletReady', message }
}

const UNLIMITED = 'MemoryLimitsUnsupported'

/** Only of nodes that cannot limit memory, or could not before; the kubelet has none such. */
function memoryLimitsOf({ machine }: NodeView, before: readonly NodeCondition[]): Draft[] {
  const problem = memoryProblemOf(machine)
  const wasTold = before.some(({ type }) => type === UNLIMITED)
  if (problem === undefined && !wasTold) return []
  return [
    pressure(UNLIMITED, problem !== undefined, {
      yes: ['NoMemoryCgroup', `pods with memory limits are refused: ${problem}`],
      no: ['MemoryCgroupPresent', 'memory limits of pods are kept'],
    }),
  ]
}

/** The largest ones, each by its digest and then its tags. */
function imageList(images: readonly ImageSeen[]): ContainerImage[] {
  return images
    .toSorted((a, b) => b.sizeBytes - a.sizeBytes)
    .slice(0, IMAGES_MAX)
    .map(({ repoDigests, repoTags, sizeBytes }) => ({
      names: [...repoDigests, ...repoTags].slice(0, NAMES_PER_IMAGE_MAX),
      sizeBytes,
    }))
}

/** What to send for the API to have `status`; undefined while there is nothing worth a write. */
export function planNodePatch(node: Node, status: NodeStatus, nowMs: number) {
  const before = node.status ?? {}
  const timeless = (conditions: readonly NodeCondition[] | undefined) =>
    (conditions ?? []).map(({ lastHeartbeatTime: _, ...rest }) => rest)
  const own = status.conditions ?? []
  const theirs = own.flatMap(
    ({ type }) => before.conditions?.filter((one) => one.type === type) ?? [],
  )
  const changes: Record<string, unknown> = {}
  for (const [field, value] of Object.entries(status)) {
    if (field === 'conditions' || field === 'addresses') continue
    if (!isDeepStrictEqual(before[field as keyof NodeStatus], value)) changes[field] = value
  }
  if (!isDeepStrictEqual(before.addresses, status.addresses)) {
    const replace = before.addresses ? [{ $patch: 'replace' }] : []
    changes.addresses = [...replace, ...(status.addresses ?? [])]
  }
  const isChanged =
    Object.keys(changes).length > 0 || !isDeepStrictEqual(timeless(theirs), timeless(own))
  const beats = theirs.flatMap(({ lastHeartbeatTime }) => lastHeartbeatTime ?? [])
  const lastMs = Math.max(0, ...beats.map((text) => parseTime(text)))
  if (!isChanged && nowMs - lastMs < POST_MS) return undefined
  return { status: { ...changes, conditions: own } }
}
