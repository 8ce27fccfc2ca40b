import { expect, test } from 'bun:test'
import { everyCase } from '../../../../test/support/every-case.ts'
import { COMPLETION_INDEX } from '../../../api/job/state.ts'
import type { Job, Pod } from '../../../api/schema/generated/types.ts'
import { completionIndexOf } from './job-pods.ts'
import { planPods } from './replicas.ts'
import { viewOf } from './view.ts'

const NOW_MS = Date.UTC(2026, 0, 1)

type State = 'none' | 'running' | 'going' | 'succeeded' | 'failed'

function aPod(name: string, state: State, index: number | undefined): Pod {
  const phases = { none: '', running: 'Running', going: 'Running' } as Record<State, string>
  const annotations = index === undefined ? {} : { [COMPLETION_INDEX]: `${index}` }
  const finalizers = ['batch.kubernetes.io/job-tracking']
  const creationTimestamp = '2025-12-31T00:00:00Z'
  return {
    metadata: {
      name,
      uid: name,
      annotations,
      finalizers,
      creationTimestamp,
      ...(state === 'going' ? { deletionTimestamp: creationTimestamp } : {}),
    },
    spec: { containers: [] },
    status: { phase: phases[state] ?? (state === 'succeeded' ? 'Succeeded' : 'Failed') },
  }
}

// Every small Job with every small set of pods: these are the promises the controller relies on.
test('keeps its promises in every case', () => {
  const cases = everyCase((choose) => {
    const isIndexed = choose([false, true])
    const completions = choose(isIndexed ? [1, 2] : [undefined, 1, 2])
    const parallelism = choose([0, 1, 3])
    const suspend = choose([false, true])
    const podReplacementPolicy = choose(['TerminatingOrFailed', 'Failed'])
    const states = ['none', 'running', 'going', 'succeeded', 'failed'] as const
    const pods = ['a', 'b', 'c'].flatMap((name, at) => {
      const state = choose(states)
      if (state === 'none') return []
      return [aPod(name, state, isIndexed ? choose([0, at]) : undefined)]
    })
    const spec = {
      ...(completions === undefined ? {} : { completions }),
      completionMode: isIndexed ? 'Indexed' : 'NonIndexed',
      template: { spec: { containers: [] } },
      parallelism,
      suspend,
      podReplacementPolicy,
    }
    const job: Job = { metadata: { name: 'j' }, spec }
    const view = viewOf(job, pods, { failures: 0, lastFailureMs: 0 }, NOW_MS)

    const { create, remove } = planPods(view)

    const after = view.active.length - remove.length + create.length
    if (create.length > 0) expect(remove).toEqual([])
    if (suspend) expect(remove).toHaveLength(view.active.length)
    if (completions !== undefined && !suspend && create.length > 0) {
      expect(after).toBeLessThanOrEqual(Math.max(0, completions - view.succeeded))
    }
    if (create.length > 0) expect(after).toBeLessThanOrEqual(parallelism)
    if (create.length > 0 && podReplacementPolicy === 'Failed') {
      expect(after + view.terminating).toBeLessThanOrEqual(parallelism)
    }
    for (const pod of remove) expect(view.active).toContain(pod)
    if (!isIndexed) return
    expect(new Set(create).size).toBe(create.length)
    const kept = view.active.filter((pod) => !remove.includes(pod)).map(completionIndexOf)
    expect(new Set(kept).size).toBe(kept.length)
    const done = pods.filter(({ status }) => status?.phase === 'Succeeded').map(completionIndexOf)
    for (const index of create) expect([...kept, ...done]).not.toContain(index)
  })
  expect(cases).toBeGreaterThan(5000)
})
