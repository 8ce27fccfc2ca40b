// Distributes endpoints over EndpointSlices with as few writes as possible. Pure.
//
// Endpoints that stay keep their slice. New ones go first where a write is due anyway, then into
// one slice with room for all of them, then into new slices.

import type {
  DiscoveryV1EndpointPort,
  Endpoint,
  EndpointSlice,
} from '../../api/schema/generated/types.ts'

/** Upstream's default: big enough to be few, small enough to be cheap to send. */
export const ENDPOINTS_MAX = 100

/** Endpoints that share a slice: of one family, with equal ports. */
export type Group = {
  addressType: 'IPv4' | 'IPv6'
  ports: DiscoveryV1EndpointPort[]
  endpoints: Endpoint[]
}

export type SlicePlan = {
  /** Drafts without a name. */
  create: EndpointSlice[]
  /** With the name of an existing one. */
  update: EndpointSlice[]
  remove: EndpointSlice[]
}

export type SliceInput = {
  groups: readonly Group[]
  existing: readonly EndpointSlice[]
  /** The metadata that every slice must have; `labels` are compared as a whole. */
  metadata: EndpointSlice['metadata'] & { labels: Record<string, string> }
}

export function planSlices({ groups, existing, metadata }: SliceInput): SlicePlan {
  const plan: SlicePlan = { create: [], update: [], remove: [] }
  const bySlot = Map.groupBy(existing, slotOf)
  for (const group of groups) {
    const slot = slotOf(group)
    planGroup(group, bySlot.get(slot) ?? [], metadata, plan)
    bySlot.delete(slot)
  }
  for (const slices of bySlot.values()) plan.remove.push(...slices)
  return reuseNames(plan)
}

/** Slices and groups with the same slot hold the same kind of endpoints. */
function slotOf({ addressType, ports }: Pick<EndpointSlice, 'addressType' | 'ports'>): string {
  return `${addressType} ${portsText(ports)}`
}

export function portsText(ports: readonly DiscoveryV1EndpointPort[] | null = []): string {
  const texts = (ports ?? []).map(({ name = '', port = 0, protocol = 'TCP', appProtocol = '' }) =>
    [name, port, protocol, appProtocol].join(),
  )
  return texts.toSorted().join(' ')
}

type Draft = { slice: EndpointSlice; kept: Endpoint[]; isChanged: boolean }

function planGroup(
  group: Group,
  existing: readonly EndpointSlice[],
  metadata: SliceInput['metadata'],
  plan: SlicePlan,
): void {
  const wanted = new Map(group.endpoints.map((endpoint) => [identityOf(endpoint), endpoint]))
  const drafts: Draft[] = []
  for (const slice of existing) {
    const draft = keepWanted(slice, wanted, metadata.labels)
    const isEmptied = draft.kept.length === 0 && (slice.endpoints ?? []).length > 0
    if (isEmptied) plan.remove.push(slice)
    else drafts.push(draft)
  }
  const rest = [...wanted.values()]
  fill(
    drafts.filter(({ isChanged }) => isChanged),
    rest,
  )
  const roomy = rest.length > 0 ? fullestWithRoom(drafts, rest.length) : undefined
  if (roomy !== undefined) fill([roomy], rest)
  for (const { slice, kept, isChanged } of drafts) {
    if (isChanged) plan.update.push(sliceOf(group, kept, withLabels(slice, metadata)))
  }
  while (rest.length > 0) {
    plan.create.push(sliceOf(group, rest.splice(0, ENDPOINTS_MAX), metadata))
  }
  // One empty slice is how "nobody is there" is said.
  const isNobodyThere = group.endpoints.length === 0 && drafts.length === 0
  if (isNobodyThere) plan.create.push(sliceOf(group, [], metadata))
}

/** Takes from `wanted` what this slice already has. */
function keepWanted(
  slice: EndpointSlice,
  wanted: Map<string, Endpoint>,
  labels: Record<string, string>,
): Draft {
  const kept: Endpoint[] = []
  let isChanged = !Bun.deepEquals(slice.metadata.labels ?? {}, labels)
  for (const old of slice.endpoints ?? []) {
    const identity = identityOf(old)
    const endpoint = wanted.get(identity)
    wanted.delete(identity)
    if (endpoint !== undefined) kept.push(endpoint)
    if (endpoint === undefined || !Bun.deepEquals(endpoint, old)) isChanged = true
  }
  return { slice, kept, isChanged }
}

/** Moves endpoints from `rest` into slices with room, the fullest first. */
function fill(drafts: readonly Draft[], rest: Endpoint[]): void {
  for (const draft of drafts.toSorted((a, b) => b.kept.length - a.kept.length)) {
    const added = rest.splice(0, Math.max(0, ENDPOINTS_MAX - draft.kept.length))
    draft.kept.push(...added)
    if (added.length > 0) draft.isChanged = true
  }
}

function fullestWithRoom(drafts: readonly Draft[], count: number): Draft | undefined {
  return drafts
    .filter(({ kept }) => kept.length + count <= ENDPOINTS_MAX)
    .toSorted((a, b) => b.kept.length - a.kept.length)[0]
}

/** One write instead of two: what would be removed becomes what would be created. */
function reuseNames({ create, update, remove }: SlicePlan): SlicePlan {
  const created: EndpointSlice[] = []
  const removed = [...remove]
  for (const draft of create) {
    const index = removed.findIndex(({ addressType }) => addressType === draft.addressType)
    const [old] = index < 0 ? [] : removed.splice(index, 1)
    if (old === undefined) created.push(draft)
    else update.push({ ...draft, metadata: { ...old.metadata, ...labelsOf(draft) } })
  }
  return { create: created, update, remove: removed }
}

const labelsOf = ({ metadata: { labels } }: EndpointSlice) => (labels ? { labels } : {})

function withLabels({ metadata }: EndpointSlice, { labels }: SliceInput['metadata']) {
  return { ...metadata, labels }
}

/** Empty lists are left out: the API answers null for them either way. */
function sliceOf(
  { addressType, ports }: Group,
  endpoints: Endpoint[],
  metadata: EndpointSlice['metadata'],
): EndpointSlice {
  return {
    metadata,
    addressType,
    ...(endpoints.length > 0 ? { endpoints } : {}),
    ...(ports.length > 0 ? { ports } : {}),
  }
}

function identityOf({ addresses, targetRef, nodeName = '' }: Endpoint): string {
  const { namespace = '', name = '', uid = '' } = targetRef ?? {}
  return [addresses.join(), nodeName, namespace, name, uid].join('|')
}
