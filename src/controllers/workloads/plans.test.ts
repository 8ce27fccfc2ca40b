import { describe, expect, test } from 'bun:test'
import { everyCase } from '../../../test/support/every-case.ts'
import type { Deployment, Pod, ReplicaSet } from '../../api/schema/generated/types.ts'
import { formatTime } from '../../api/time.ts'
import { conditionOf } from '../conditions.ts'
import { planClaims } from './claims.ts'
import { cheapestPods } from './deletion-order.ts'
import { type DeploymentStep, planDeployment } from './deployment-plan.ts'
import { maxSurge, maxUnavailable, newSetAnnotations } from './deployment-sets.ts'
import { planDeploymentStatus } from './deployment-status.ts'
import { BURST_MAX, planReplicas } from './pod-group.ts'
import { templateHash } from './template-hash.ts'

const NOW_MS = Date.UTC(2026, 0, 1)

type PodFacts = {
  name: string
  node?: string
  phase?: string
  readyForMs?: number
  ageMs?: number
  cost?: string
  restarts?: number
}

function aPod({ name, node = 'a', phase = 'Running', ageMs = 1000, ...more }: PodFacts): Pod {
  const { readyForMs, cost, restarts = 0 } = more
  const ready =
    readyForMs === undefined
      ? { type: 'Ready', status: 'False' }
      : { type: 'Ready', status: 'True', lastTransitionTime: formatTime(NOW_MS - readyForMs) }
  return {
    metadata: {
      name,
      uid: name,
      creationTimestamp: formatTime(NOW_MS - ageMs),
      ...(cost ? { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } } : {}),
    },
    spec: { containers: [], ...(node ? { nodeName: node } : {}) },
    status: {
      phase,
      conditions: [ready],
      containerStatuses: [
        { name: 'c', restartCount: restarts, image: '', imageID: '', ready: true },
      ],
    },
  }
}

describe('planReplicas', () => {
  const pods = (count: number) => Array.from({ length: count }, (_, i) => aPod({ name: `p${i}` }))

  test('makes what is missing and removes what is too much, at most a burst at a time', () => {
    for (const wanted of [0, 1, 2, 700]) {
      for (const have of [0, 1, 2, 700]) {
        const { create, remove } = planReplicas(wanted, pods(have), [], NOW_MS)
        expect(create).toBe(Math.min(BURST_MAX, Math.max(0, wanted - have)))
        expect(remove.length).toBe(Math.min(BURST_MAX, Math.max(0, have - wanted)))
      }
    }
  })
})

describe('of two pods, the one to go', () => {
  const ready = { readyForMs: 3_600_000, ageMs: 7_200_000 }
  const cases: [why: string, first: Omit<PodFacts, 'name'>, other: Omit<PodFacts, 'name'>][] = [
    ['is on no node', { node: '', ...ready }, { phase: 'Pending' }],
    ['is pending', { phase: 'Pending', ...ready }, { phase: 'Unknown' }],
    ['is not ready', {}, { ...ready, cost: '-5' }],
    ['costs less', { ...ready, cost: '-1' }, { ...ready, node: 'crowded' }],
    ['has siblings beside it', { ...ready, node: 'crowded' }, { ...ready, readyForMs: 1 }],
    ['became ready later', { ...ready, readyForMs: 1000 }, { ...ready, restarts: 9 }],
    ['restarted more often', { ...ready, restarts: 1 }, { ...ready, ageMs: 1 }],
    ['is younger', { ...ready, ageMs: 3_600_000 * 3 }, { ...ready, ageMs: 3_600_000 * 30 }],
  ]
  const siblings = [aPod({ name: 's1', node: 'crowded' }), aPod({ name: 's2', node: 'crowded' })]

  test.each(cases)('%s', (_why, first, other) => {
    const [a, b] = [aPod({ name: 'a', ...first }), aPod({ name: 'b', ...other })]
    for (const order of [
      [a, b],
      [b, a],
    ]) {
      const [cheapest] = cheapestPods(order, siblings, 1, NOW_MS)
      expect(cheapest!.metadata.name).toBe('a')
    }
  })

  test('is a coin toss between ages of the same magnitude', () => {
    const old = aPod({ name: 'a', readyForMs: 3_600_000 * 1.2 })
    const young = aPod({ name: 'b', readyForMs: 3_600_000 * 1.1 })
    expect(cheapestPods([young, old], [], 1, NOW_MS)).toEqual([old])
  })
})

describe('planClaims', () => {
  test('never takes what belongs to another, and nothing at all when going', () => {
    everyCase((choose) => {
      const isGoing = choose([false, true])
      const owner = {
        metadata: { uid: 'me', ...(isGoing ? { deletionTimestamp: 'then' } : {}) },
      }
      const controller = choose(['me', 'other', 'none'])
      const matches = choose([false, true])
      const podGoes = choose([false, true])
      const ownerReferences = [
        { apiVersion: 'v1', kind: 'K', name: 'n', uid: controller, controller: true },
      ]
      const pod = {
        metadata: {
          ...(controller === 'none' ? {} : { ownerReferences }),
          ...(podGoes ? { deletionTimestamp: 'then' } : {}),
        },
      }
      const { owned, adopt, release } = planClaims(owner, [pod], () => matches)
      expect(owned.length).toBe(controller === 'me' && matches ? 1 : 0)
      expect(release.length).toBe(controller === 'me' && !matches && !isGoing ? 1 : 0)
      const isFree = controller === 'none' && !podGoes
      expect(adopt.length).toBe(isFree && matches && !isGoing ? 1 : 0)
    })
  })
})

const template = (image: string) => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image }] },
})

function aDeployment(spec: Partial<Deployment['spec']> = {}): Deployment {
  return {
    metadata: { name: 'web', namespace: 'default', uid: 'd', generation: 1 },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      template: template('new'),
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } },
      ...spec,
    },
  }
}

function aSet(
  image: string,
  replicas: number,
  available: number,
  deployment: Deployment,
): ReplicaSet {
  const size = String(deployment.spec.replicas)
  return {
    metadata: {
      name: `web-${image}`,
      uid: image,
      creationTimestamp: `2026-01-01T00:00:0${ORDER[image]}Z`,
      annotations: {
        'deployment.kubernetes.io/desired-replicas': size,
        'deployment.kubernetes.io/max-replicas': String(
          (deployment.spec.replicas ?? 0) + maxSurge(deployment),
        ),
        'deployment.kubernetes.io/revision': String(ORDER[image]),
      },
    },
    spec: { replicas, selector: {}, template: template(image) },
    status: { replicas, availableReplicas: Math.min(available, replicas) },
  }
}
const ORDER: Record<string, number> = { older: 1, old: 2, new: 3 }

/** The sizes of all sets after the step. */
function sizesAfter(step: DeploymentStep, sets: readonly ReplicaSet[]): number[] {
  const sizes = sets.map((rs) => {
    const resized = step.do === 'resize' && step.sets.find((one) => one.rs === rs)
    return resized ? resized.replicas : (rs.spec.replicas ?? 0)
  })
  return step.do === 'create' ? [...sizes, step.draft.spec.replicas ?? 0] : sizes
}

describe('planDeployment', () => {
  test('keeps its promises in every small roll', () => {
    const cases = everyCase((choose) => {
      const replicas = choose([0, 1, 3])
      const rollingUpdate = choose([
        { maxSurge: 1, maxUnavailable: 0 },
        { maxSurge: 0, maxUnavailable: 1 },
        { maxSurge: '25%', maxUnavailable: '25%' },
      ])
      const isRolling = choose([true, false])
      const strategy = isRolling ? { type: 'RollingUpdate', rollingUpdate } : { type: 'Recreate' }
      const deployment = aDeployment({ replicas, strategy })
      const oldSize = choose([0, 1, 3])
      const old = aSet('old', oldSize, choose([0, 1, 3]), deployment)
      const newSize = choose([undefined, 0, 1, 3])
      const sets = [old]
      if (newSize !== undefined) sets.push(aSet('new', newSize, choose([0, 1, 3]), deployment))
      const podsLeft = (rs: ReplicaSet) => (rs === old ? oldSize : 0)

      const { step } = planDeployment({ deployment, sets, podsLeft })

      const before = sets.reduce((sum, rs) => sum + (rs.spec.replicas ?? 0), 0)
      const after = sizesAfter(step, sets)
      const total = after.reduce((sum, size) => sum + size, 0)
      expect(after.every((size) => size >= 0)).toBe(true)
      // Never more pods than allowed, unless there were more already.
      if (total > before) expect(total).toBeLessThanOrEqual(replicas + maxSurge(deployment))
      // Healthy pods go only as far as enough of them are left.
      const available = (i: number) => Math.min(sets[i]!.status!.availableReplicas!, after[i]!)
      const availableBefore = sets.reduce((sum, rs) => sum + rs.status!.availableReplicas!, 0)
      const availableAfter = sets.reduce((sum, _rs, i) => sum + available(i), 0)
      if (isRolling && availableAfter < availableBefore && step.do === 'resize') {
        const isNewShrinking = newSize !== undefined && newSize > replicas
        const minAvailable = replicas - maxUnavailable(deployment)
        if (!isNewShrinking) expect(availableAfter).toBeGreaterThanOrEqual(minAvailable)
      }
      if (!isRolling && step.do === 'create') expect(oldSize).toBe(0)
    })
    expect(cases).toBeGreaterThan(1000)
  })

  test('comes to an end from anywhere, when pods do as they are told', () => {
    everyCase((choose) => {
      const strategy = choose([
        { type: 'Recreate' },
        { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
        { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
      ])
      const deployment = aDeployment({ replicas: choose([0, 2, 5]), strategy })
      let sets = [
        aSet('older', choose([0, 4]), 9, deployment),
        aSet('old', choose([0, 3]), choose([0, 9]), deployment),
      ]
      for (let pass = 0; ; pass++) {
        expect(pass).toBeLessThan(40)
        const { step } = planDeployment({ deployment, sets, podsLeft: () => 0 })
        if (step.do === 'nothing' || step.do === 'clean-up') break
        if (step.do === 'create') {
          const created = aSet('new', step.draft.spec.replicas ?? 0, 9, deployment)
          sets = [...sets, created]
          continue
        }
        const sizes = sizesAfter(step, sets)
        sets = sets.map((rs, i) => ({
          ...rs,
          spec: { ...rs.spec, replicas: sizes[i]! },
          status: { replicas: sizes[i]!, availableReplicas: sizes[i]! },
        }))
      }
      const sizeOf = (image: string) =>
        sets.find(({ metadata }) => metadata.uid === image)?.spec.replicas ?? 0
      expect(sizeOf('new')).toBe(deployment.spec.replicas!)
      expect(sizeOf('old') + sizeOf('older')).toBe(0)
    })
  })

  test('shares a change of size in proportion, and gives the rest to the largest', () => {
    const before = aDeployment({ replicas: 10 })
    const sets = [aSet('old', 8, 8, before), aSet('new', 3, 3, before)]
    const sizes = (replicas: number) => {
      const { step } = planDeployment({
        deployment: aDeployment({ replicas }),
        sets,
        podsLeft: () => 0,
      })
      return sizesAfter(step, sets)
    }
    expect(sizes(20)).toEqual([15, 6])
    expect(sizes(5)).toEqual([4, 2])
    expect(sizes(0)).toEqual([0, 0])
  })

  test('does nothing when it is being deleted', () => {
    const deployment = aDeployment()
    deployment.metadata.deletionTimestamp = 'now'
    expect(planDeployment({ deployment, sets: [], podsLeft: () => 0 }).step).toEqual({
      do: 'nothing',
    })
  })
})

describe('percentages', () => {
  test('round up for surge and down for unavailable, and never come to nothing', () => {
    const both = (replicas: number, surge: string, unavailable: string) => {
      const rollingUpdate = { maxSurge: surge, maxUnavailable: unavailable }
      const deployment = aDeployment({
        replicas,
        strategy: { type: 'RollingUpdate', rollingUpdate },
      })
      return [maxSurge(deployment), maxUnavailable(deployment)]
    }
    expect(both(10, '25%', '25%')).toEqual([3, 2])
    expect(both(1, '25%', '25%')).toEqual([1, 0])
    expect(both(2, '0%', '1%')).toEqual([0, 1])
    expect(both(3, '0%', '100%')).toEqual([0, 3])
  })
})

describe('the new ReplicaSet', () => {
  test('is named by its template alone, in safe letters', () => {
    const hash = templateHash(template('a'))
    expect(hash).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]+$/)
    const { spec, metadata } = template('a')
    expect(templateHash({ spec, metadata })).toBe(hash)
    const labelled = { metadata: { labels: { 'pod-template-hash': 'x', app: 'web' } }, spec }
    expect(templateHash(labelled)).toBe(hash)
    expect(templateHash(template('b'))).not.toBe(hash)
    expect(templateHash(template('a'), 1)).not.toBe(hash)
  })

  test('gets the highest revision, and remembers lower ones it had', () => {
    const deployment = aDeployment()
    deployment.metadata.annotations = {
      note: 'x',
      'kubectl.kubernetes.io/last-applied-configuration': '{}',
    }
    const old = aSet('old', 0, 0, deployment)
    const older = aSet('older', 0, 0, deployment)
    const back = newSetAnnotations(deployment, older, [old])
    expect(back).toMatchObject({
      note: 'x',
      'deployment.kubernetes.io/revision': '3',
      'deployment.kubernetes.io/revision-history': '1',
    })
    expect(back).not.toHaveProperty(['kubectl.kubernetes.io/last-applied-configuration'])
    expect(
      newSetAnnotations(deployment, { ...older, metadata: { annotations: back } }, [old]),
    ).toEqual(back)
  })
})

describe('planDeploymentStatus', () => {
  test('moves the time of progress while pods come, and never the time of transition', () => {
    const deployment = aDeployment({ progressDeadlineSeconds: 600 })
    const newSet = aSet('new', 3, 1, deployment)
    const input = { newSet, oldSets: [], isRollout: true, news: undefined }
    const first = planDeploymentStatus({ deployment, ...input, nowMs: NOW_MS })
    const later = {
      ...input,
      newSet: aSet('new', 3, 2, deployment),
      nowMs: NOW_MS + 5000,
      deployment: { ...deployment, status: first },
    }
    const second = planDeploymentStatus(later)
    const [before, after] = [first, second].map((s) => conditionOf(s.conditions, 'Progressing')!)
    expect(after!.lastTransitionTime).toBe(before!.lastTransitionTime!)
    expect(after!.lastUpdateTime).not.toBe(before!.lastUpdateTime!)
    // With nothing new to tell, it stays as it is.
    const same = planDeploymentStatus({
      ...later,
      nowMs: NOW_MS + 9000,
      deployment: { ...deployment, status: second },
    })
    expect(same).toEqual(second)
  })
})
