// Pods of an owner: made from its template, in batches that double, and removed, with its events.

import { pods } from '../../api/kinds/core/pod/row.ts'
import type { Pod, PodTemplateSpec } from '../../api/schema/generated/types.ts'
import type { Kit } from '../../kit/controller.ts'
import type { About } from '../../kit/events.ts'
import { isNamespaceTerminating, messageOf } from '../failures.ts'
import { ownerReference } from './claims.ts'

export type Failure = { reason: 'FailedCreate' | 'FailedDelete'; error: unknown }

/** Starts and removes pods. A failure is returned, because the status must tell of it first. */
export async function performPods(
  about: About,
  { create, remove }: { create: readonly Pod[]; remove: readonly Pod[] },
  kit: Kit,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const created = await inBatches(create, (draft) => createPod(about, draft, kit, signal))
  if (created !== undefined) return { reason: 'FailedCreate', error: created.error }
  const removals = remove.map((pod) => removePod(about, pod, kit, signal))
  const removed = firstFailure(await Promise.allSettled(removals))
  return removed === undefined ? undefined : { reason: 'FailedDelete', error: removed.error }
}

/**
 * Batches that double: the first "quota exceeded" stops us, instead of five hundred of them.
 * Returns the first error of the batch in which one occurred.
 */
export async function inBatches<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<{ error: unknown } | undefined> {
  for (let done = 0, size = 1; done < items.length; done += size, size *= 2) {
    const tries = items.slice(done, done + size).map(work)
    const failure = firstFailure(await Promise.allSettled(tries))
    if (failure !== undefined) return failure
  }
}

function firstFailure(
  results: readonly PromiseSettledResult<void>[],
): { error: unknown } | undefined {
  const failed = results.find((result) => result.status === 'rejected')
  return failed && { error: failed.reason }
}

export async function createPod(
  about: About,
  draft: Pod,
  { writer, events }: Kit,
  signal: AbortSignal,
): Promise<void> {
  try {
    const pod = await writer.create(pods, draft, signal)
    events.normal(about, 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`)
  } catch (error) {
    // In a namespace that is going, nothing can be made and nothing needs to be said.
    if (signal.aborted || isNamespaceTerminating(error)) return
    events.warning(about, 'FailedCreate', `Error creating: ${messageOf(error)}`)
    throw error
  }
}

export async function removePod(
  about: About,
  pod: Pod,
  { writer, events }: Kit,
  signal: AbortSignal,
): Promise<void> {
  try {
    await writer.remove(pods, pod, {}, signal)
    events.normal(about, 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`)
  } catch (error) {
    events.warning(about, 'FailedDelete', `Error deleting: ${messageOf(error)}`)
    throw new Error(`unable to delete pods: ${messageOf(error)}`)
  }
}

/** A pod as the owner's template has it, with the owner in it. Its name begins with the owner's. */
export function draftPod(
  { row, object }: Pick<About, 'row' | 'object'>,
  template: PodTemplateSpec | undefined,
): Pod {
  const { metadata = {}, spec } = template ?? {}
  const { labels, annotations, finalizers } = metadata
  return {
    metadata: {
      generateName: podPrefix(object.metadata.name ?? ''),
      namespace: object.metadata.namespace ?? '',
      ...(labels ? { labels } : {}),
      ...(annotations ? { annotations } : {}),
      ...(finalizers ? { finalizers } : {}),
      ownerReferences: [ownerReference(row, object)],
    },
    spec: spec ?? { containers: [] },
  }
}

/** A name may be longer than a prefix with a dash may be; upstream then leaves the dash out. */
function podPrefix(name: string): string {
  return name.length < 253 ? `${name}-` : name
}
