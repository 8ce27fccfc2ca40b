// Empties namespaces that are being deleted: pods first and gone before the rest (KEP-5080), then
// everything else, then the finalizer, which lets the server remove the namespace.

import { namespaces } from '../../api/kinds/core/namespace/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import type { KubeObject } from '../../api/object.ts'
import type { AnyRow } from '../../api/resource.ts'
import type { Namespace, NamespaceCondition } from '../../api/schema/generated/types.ts'
import { isNotFound } from '../../api/status.ts'
import { parseTime } from '../../api/time.ts'
import { listAll } from '../../kit/client-impl.ts'
import { type Controller, defineController, type Kit, watching } from '../../kit/controller.ts'
import { withCondition } from '../conditions.ts'

const FINALIZER = 'kubernetes'
/** How long what has finalizers is given before we look again. */
const FINALIZERS_SECONDS = 15

/** What is left of one kind after everything of it was asked to go. */
export type Remaining = {
  row: AnyRow
  count: number
  /** How many objects each finalizer holds back. */
  finalizers: ReadonlyMap<string, number>
  /** How long it may take, in seconds; 0 when nothing explains why it is still there. */
  waitSeconds: number
}

export type Emptied = { remaining: Remaining[]; failures: string[]; waitsForPods: boolean }

export function namespaceController(rows: () => readonly AnyRow[]): Controller<Namespace> {
  return defineController<Namespace>({
    name: 'namespace-controller',
    reconciles: namespaces,
    workers: 2,
    watches: [
      // A pod that goes is what most namespaces wait for.
      watching(pods, ({ metadata: { namespace = '' } }, list) => {
        const isGoing = list(namespaces).get(namespace)?.metadata.deletionTimestamp !== undefined
        return isGoing ? [namespace] : []
      }),
    ],

    async reconcile(namespace, kit, signal) {
      if (namespace.metadata.deletionTimestamp === undefined) return
      if ((namespace.spec?.finalizers ?? []).length === 0) return
      const emptied = await empty(namespace, rows(), kit, signal)
      const now = await putStatus(namespace, emptied, kit, signal)
      if (emptied.failures.length > 0) {
        throw new Error(`empty namespace: ${emptied.failures.join(', ')}`)
      }
      const waitSeconds = Math.max(0, ...emptied.remaining.map((kind) => kind.waitSeconds))
      if (waitSeconds > 0) return { requeueInMs: (waitSeconds / 2 + 1) * 1000 }
      await finalize(now, kit, signal)
    },
  })
}

async function empty(
  namespace: Namespace,
  rows: readonly AnyRow[],
  kit: Kit,
  signal: AbortSignal,
): Promise<Emptied> {
  const failures: string[] = []
  const emptyKind = async (row: AnyRow) => {
    try {
      return await emptyOneKind(namespace, row, kit, signal)
    } catch (error) {
      if (signal.aborted) throw error
      failures.push(error instanceof Error ? error.message : String(error))
      return undefined
    }
  }
  const podsLeft = await emptyKind(pods)
  if (podsLeft !== undefined && podsLeft.count > 0) {
    return { remaining: [podsLeft], failures, waitsForPods: true }
  }
  const remaining: Remaining[] = []
  for (const row of planKinds(rows)) {
    const left = await emptyKind(row)
    if (left !== undefined && left.count > 0) remaining.push(left)
  }
  return { remaining, failures, waitsForPods: false }
}

/** Every namespaced kind but pods that can be deleted; of two views of the same objects, one. */
export function planKinds(rows: readonly AnyRow[]): AnyRow[] {
  const seen = new Set<string>([pods.storagePrefix])
  return rows.filter((row) => {
    const isOurs = row.scope === 'Namespaced' && row.verbs.includes('delete')
    if (!isOurs || seen.has(row.storagePrefix)) return false
    seen.add(row.storagePrefix)
    return true
  })
}

async function emptyOneKind(
  namespace: Namespace,
  row: AnyRow,
  { client, clock }: Kit,
  signal: AbortSignal,
): Promise<Remaining> {
  const { name = '' } = namespace.metadata
  const query = { namespace: name, metadataOnly: true }
  const none = { row, count: 0, finalizers: new Map<string, number>(), waitSeconds: 0 }
  const before = (await listAll<KubeObject>(client, row, query, signal)).items
  if (before.length === 0) return none
  if (row.verbs.includes('deletecollection')) {
    const options = { propagationPolicy: 'Background' } as const
    await client.deleteCollection(row, { namespace: name }, options, signal)
  } else {
    for (const { metadata } of before) {
      const where = { namespace: name, name: metadata.name ?? '' }
      await client
        .delete(row, where, { propagationPolicy: 'Background' }, signal)
        .catch((error) => {
          if (!isNotFound(error)) throw error
        })
    }
  }
  const left = (await listAll<KubeObject>(client, row, query, signal)).items
  const remaining = planRemaining(row, left, namespace, clock.nowMs())
  if (remaining.count > 0 && remaining.waitSeconds === 0) {
    const { group, version, plural } = row
    const kind = `${group}/${version}, Resource=${plural}`
    throw new Error(`unexpected items still remain in namespace: ${name} for gvr: ${kind}`)
  }
  return remaining
}

/** How long what is left may take: the longest grace of its pods, or the time finalizers get. */
export function planRemaining(
  row: AnyRow,
  left: readonly KubeObject[],
  namespace: Namespace,
  nowMs: number,
): Remaining {
  const finalizers = new Map<string, number>()
  for (const { metadata } of left) {
    for (const finalizer of metadata.finalizers ?? []) {
      finalizers.set(finalizer, (finalizers.get(finalizer) ?? 0) + 1)
    }
  }
  const graceSeconds = left.map(({ metadata }) => metadata.deletionGracePeriodSeconds ?? 0)
  const deletedMs = parseTime(namespace.metadata.deletionTimestamp ?? '')
  const sinceSeconds = Math.max(0, (nowMs - deletedMs) / 1000)
  const graceLeft = Math.max(0, ...graceSeconds) - sinceSeconds
  if (row === pods && graceLeft > 0) {
    return { row, count: left.length, finalizers, waitSeconds: graceLeft }
  }
  // Pods that are late wake us when they go, so for them this is only a second look.
  const isExplained = finalizers.size > 0 || row === pods
  const waitSeconds = isExplained ? FINALIZERS_SECONDS : 0
  return { row, count: left.length, finalizers, waitSeconds }
}

async function putStatus(
  namespace: Namespace,
  emptied: Emptied,
  { writer, clock }: Kit,
  signal: AbortSignal,
): Promise<Namespace> {
  const conditions = planConditions(namespace, emptied, clock.nowMs())
  const isUneventful = emptied.remaining.length === 0 && emptied.failures.length === 0
  const before = namespace.status?.conditions
  const isTold = namespace.status?.phase === 'Terminating'
  // A namespace that was empty is gone in a moment: nobody will read that all went well.
  if (isUneventful && before === undefined && isTold) return namespace
  return writer.putStatus(namespaces, namespace, { phase: 'Terminating', conditions }, signal)
}

/** Type, reason when all is well, and what is said then (in the order upstream writes them). */
const FINE = [
  [
    'NamespaceDeletionDiscoveryFailure',
    'ResourcesDiscovered',
    'All resources successfully discovered',
  ],
  [
    'NamespaceDeletionGroupVersionParsingFailure',
    'ParsedGroupVersions',
    'All legacy kube types successfully parsed',
  ],
  [
    'NamespaceDeletionContentFailure',
    'ContentDeleted',
    'All content successfully deleted, may be waiting on finalization',
  ],
  ['NamespaceContentRemaining', 'ContentRemoved', 'All content successfully removed'],
  [
    'NamespaceFinalizersRemaining',
    'ContentHasNoFinalizers',
    'All content-preserving finalizers finished',
  ],
] as const

export function planConditions(
  namespace: Namespace,
  { remaining, failures, waitsForPods }: Emptied,
  nowMs: number,
): NamespaceCondition[] {
  const bad = new Map<string, { reason: string; message: string }>()
  if (failures.length > 0) {
    const list = failures.toSorted().join(', ')
    const message = `Failed to delete all resource types, ${failures.length} remaining: ${list}`
    bad.set('NamespaceDeletionContentFailure', { reason: 'ContentDeletionFailed', message })
  }
  // While pods are waited for, upstream does not say yet what else is there.
  if (remaining.length > 0 && !waitsForPods) {
    const kinds = remaining.map(({ row, count }) => {
      return `${row.plural}.${row.group} has ${count} resource instances`
    })
    const message = `Some resources are remaining: ${kinds.toSorted().join(', ')}`
    bad.set('NamespaceContentRemaining', { reason: 'SomeResourcesRemain', message })
    const held = heldBy(remaining)
    if (held !== '') {
      const text = `Some content in the namespace has finalizers remaining: ${held}`
      bad.set('NamespaceFinalizersRemaining', { reason: 'SomeFinalizersRemain', message: text })
    }
  }
  let conditions = namespace.status?.conditions ?? []
  for (const [type, reason, message] of FINE) {
    const fault = bad.get(type)
    const draft = fault
      ? { type, status: 'True', ...fault }
      : { type, status: 'False', reason, message }
    conditions = withCondition(conditions, draft, nowMs)
  }
  return conditions
}

function heldBy(remaining: readonly Remaining[]): string {
  const counts = new Map<string, number>()
  for (const { finalizers } of remaining) {
    for (const [name, count] of finalizers) counts.set(name, (counts.get(name) ?? 0) + count)
  }
  const texts = [...counts].map(([name, count]) => `${name} in ${count} resource instances`)
  return texts.toSorted().join(', ')
}

async function finalize(namespace: Namespace, { client }: Kit, signal: AbortSignal): Promise<void> {
  const finalizers = (namespace.spec?.finalizers ?? []).filter((name) => name !== FINALIZER)
  const done = { ...namespace, spec: { ...namespace.spec, finalizers } }
  await client.updatePart(namespaces, done, 'finalize', signal).catch((error) => {
    if (!isNotFound(error)) throw error
  })
}
