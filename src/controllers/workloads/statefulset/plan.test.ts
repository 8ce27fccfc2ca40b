import { describe, expect, test } from 'bun:test'
import { type Choose, everyCase } from '../../../../test/support/every-case.ts'
import type { Pod, StatefulSet } from '../../../api/schema/generated/types.ts'
import { revisionHash } from '../template-hash.ts'
import { BURST_MAX, isAvailable, planStatefulSet, type World } from './plan.ts'
import { planSetStatus } from './status.ts'

const NOW_MS = Date.UTC(2026, 0, 1)

const STATES = ['missing', 'pending', 'ready', 'going', 'failed'] as const
type State = (typeof STATES)[number]

function aPod(ordinal: number, state: State, revision = 'old'): Pod {
  const name = `web-${ordinal}`
  const labels = {
    'statefulset.kubernetes.io/pod-name': name,
    'controller-revision-hash': revision,
  }
  const going = state === 'going' ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}
  const phase = state === 'failed' ? 'Failed' : state === 'pending' ? 'Pending' : 'Running'
  const isReady = state === 'ready' || state === 'going'
  const conditions = isReady ? [{ type: 'Ready', status: 'True' }] : []
  return {
    metadata: { name, namespace: 'x', uid: `uid-${ordinal}`, labels, ...going },
    spec: { containers: [] },
    status: { phase, conditions },
  }
}

function aSet(spec: Partial<StatefulSet['spec']>): StatefulSet {
  const selector = { matchLabels: { app: 'web' } }
  return {
    metadata: { name: 'web', namespace: 'x', uid: 'uid-set', generation: 1 },
    spec: {
      replicas: 2,
      selector,
      template: { spec: { containers: [] } },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      ...spec,
    },
  }
}

function aWorld(set: StatefulSet, pods: readonly Pod[]): World {
  return {
    set,
    pods,
    claimOf: () => undefined,
    current: { name: 'old', set },
    update: { name: 'new', set },
    waitMs: () => 0,
    nowMs: NOW_MS,
  }
}

const actionsOf = (world: World) => planStatefulSet(world).groups.flatMap(({ actions }) => actions)

describe('every world of two pods wanted and two too many', () => {
  function aCase(choose: Choose) {
    const inOrder = choose([true, false])
    const partition = choose([0, 1])
    const states = [0, 1, 2, 3].map((ordinal) => ({ ordinal, state: choose(STATES) }))
    const revisions = ['old', 'new']
    const pods = states
      .filter(({ state }) => state !== 'missing')
      .map(({ ordinal, state }) => {
        const revision = ordinal < 2 && state === 'ready' ? choose(revisions) : 'old'
        return aPod(ordinal, state, revision)
      })
    const podManagementPolicy = inOrder ? 'OrderedReady' : 'Parallel'
    const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { partition } }
    const world = aWorld(aSet({ podManagementPolicy, updateStrategy }), pods)
    return { inOrder, partition, world, actions: actionsOf(world) }
  }

  test('in order, one thing is done at a time, and only above pods that are well', () => {
    everyCase((choose) => {
      const { inOrder, world, actions } = aCase(choose)
      if (!inOrder) return
      expect(actions.length).toBeLessThanOrEqual(1)
      const [action] = actions
      if (action === undefined || action.do === 'claim') return
      const ordinal = 'ordinal' in action ? action.ordinal : -1
      const isWell = (pod: Pod | undefined) =>
        pod !== undefined && isAvailable(world, pod) && !pod.metadata.deletionTimestamp
      const podAt = (at: number) => world.pods.find(({ metadata }) => metadata.name === `web-${at}`)
      for (let below = 0; below < Math.min(ordinal, 2); below++) {
        if (action.do === 'delete' && action.because === 'old') break
        expect(isWell(podAt(below))).toBe(true)
      }
    })
  })

  test('nothing is deleted that is well and wanted, but for a roll, above the partition', () => {
    everyCase((choose) => {
      const { partition, world, actions } = aCase(choose)
      for (const action of actions) {
        if (action.do !== 'delete') continue
        expect(action.pod.metadata.deletionTimestamp).toBeUndefined()
        if (action.because === 'scaled') expect(action.ordinal).toBeGreaterThanOrEqual(2)
        if (action.because === 'failed') expect(action.pod.status!.phase).toBe('Failed')
        if (action.because !== 'old') continue
        expect(action.ordinal).toBeGreaterThanOrEqual(partition)
        expect(action.ordinal).toBeLessThan(2)
        const above = world.pods.filter(
          ({ metadata }) => metadata.name! > action.pod.metadata.name! && metadata.name! < 'web-2',
        )
        for (const pod of above) {
          expect(isAvailable(world, pod)).toBe(true)
          expect(pod.metadata.labels!['controller-revision-hash']).toBe('new')
        }
      }
    })
  })

  test('something is always on its way until all is well, and then nothing is', () => {
    everyCase((choose) => {
      const { partition, world, actions } = aCase(choose)
      const waits = world.pods.some(
        ({ metadata, status }) => metadata.deletionTimestamp || status?.phase === 'Pending',
      )
      const isRight = [0, 1].every((ordinal) => {
        const pod = world.pods.find(({ metadata }) => metadata.name === `web-${ordinal}`)
        if (pod === undefined || !isAvailable(world, pod)) return false
        return ordinal < partition || pod.metadata.labels!['controller-revision-hash'] === 'new'
      })
      const isDone = isRight && world.pods.length === 2 && !waits
      if (isDone) expect(actions).toEqual([])
      else if (!waits) expect(actions).not.toEqual([])
    })
  })
})

test('in parallel all are made and all too many go at once, and one is rolled', () => {
  const pods = [aPod(0, 'ready'), aPod(3, 'ready'), aPod(4, 'pending')]
  const actions = actionsOf(aWorld(aSet({ replicas: 3, podManagementPolicy: 'Parallel' }), pods))
  const shown = actions.map((action) => {
    const because = action.do === 'delete' ? ` ${action.because}` : ''
    return `${action.do} ${action.pod.metadata.name}${because}`
  })
  expect(shown).toEqual([
    'create web-1',
    'create web-2',
    'delete web-4 scaled',
    'delete web-3 scaled',
  ])
})

test('as many are unavailable in a roll as may be, where that is said', () => {
  const rolled = (maxUnavailable: number | string, states: readonly State[]) => {
    const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { maxUnavailable } }
    const pods = states.map((state, ordinal) => aPod(ordinal, state))
    const set = aSet({ replicas: 5, updateStrategy, podManagementPolicy: 'Parallel' })
    return actionsOf(aWorld(set, pods)).flatMap((action) => {
      return action.do === 'delete' ? [action.ordinal] : []
    })
  }
  const well = ['ready', 'ready', 'ready', 'ready', 'ready'] as const
  expect(rolled(2, well)).toEqual([4, 3])
  expect(rolled('50%', well)).toEqual([4, 3])
  expect(rolled('1%', well)).toEqual([4])
  expect(rolled(2, ['ready', 'pending', 'ready', 'ready', 'ready'])).toEqual([4])
  expect(rolled(2, ['going', 'pending', 'ready', 'ready', 'ready'])).toEqual([])
})

test('a set that is going touches nothing', () => {
  const set = aSet({})
  set.metadata.deletionTimestamp = '2026-01-01T00:00:00Z'
  expect(actionsOf(aWorld(set, [aPod(0, 'failed'), aPod(7, 'ready')]))).toEqual([])
})

test('two thousand million pods are planned a pass at a time', () => {
  const replicas = 2 ** 31 - 1
  const atOnce = aSet({ replicas, podManagementPolicy: 'Parallel' })
  expect(actionsOf(aWorld(atOnce, [aPod(0, 'ready')]))).toHaveLength(BURST_MAX)
  const inOrder = aSet({ replicas, ordinals: { start: 2 ** 31 - 1 } })
  expect(actionsOf(aWorld(inOrder, []))).toHaveLength(1)
})

test('without a number for the partition, as many stay old as are counted to be', () => {
  const set = aSet({ replicas: 3, updateStrategy: { type: 'RollingUpdate' } })
  set.status = { replicas: 3, currentReplicas: 1 }
  const revisionAt = (ordinal: number) => {
    const pods = [0, 1, 2].filter((at) => at < ordinal).map((at) => aPod(at, 'ready'))
    const [action] = actionsOf(aWorld(set, pods))
    return action!.pod.metadata.labels!['controller-revision-hash']
  }
  expect([revisionAt(0), revisionAt(1), revisionAt(2)]).toEqual(['old', 'new', 'new'])
})

test('the status counts what is there, and a roll is over when all are new and ready', () => {
  const seen = {
    set: aSet({}),
    current: 'old',
    update: 'new',
    collisionCount: 0,
    rolledCount: 0,
    nowMs: NOW_MS,
  }
  const half = [aPod(0, 'ready'), aPod(1, 'ready', 'new'), aPod(2, 'going'), aPod(3, 'failed')]
  expect(planSetStatus({ ...seen, pods: half })).toEqual({
    observedGeneration: 1,
    replicas: 4,
    readyReplicas: 3,
    availableReplicas: 3,
    currentReplicas: 2,
    updatedReplicas: 1,
    currentRevision: 'old',
    updateRevision: 'new',
    collisionCount: 0,
  })
  const done = [aPod(0, 'ready', 'new'), aPod(1, 'ready', 'new')]
  expect(planSetStatus({ ...seen, pods: done })).toMatchObject({
    currentReplicas: 2,
    currentRevision: 'new',
  })
})

test('revisions are named as upstream names them', () => {
  const template = {
    $patch: 'replace',
    metadata: { annotations: { a: 'x<y>&z' }, labels: { app: 'web', tier: '1' } },
    spec: {
      containers: [
        {
          command: ['sh', '-c', 'a && b > c'],
          env: [{ name: 'A' }],
          image: 'i',
          imagePullPolicy: 'Always',
          name: 'c',
          resources: {},
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          volumeMounts: [{ mountPath: '/x', name: 'data' }],
        },
      ],
      dnsPolicy: 'ClusterFirst',
      restartPolicy: 'Always',
      schedulerName: 'default-scheduler',
      securityContext: {},
      terminationGracePeriodSeconds: 30,
    },
  }
  // Seen at Kubernetes 1.36.3.
  expect(revisionHash({ spec: { template } }, 0)).toBe('69cfdd5d9c')
})
