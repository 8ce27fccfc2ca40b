import { describe, expect, test } from 'bun:test'
import { everyCase } from '../../../test/support/every-case.ts'
import { aContainerSeen, anImage, aPod, aSeen } from '../../../test/support/pod.ts'
import { planPod } from './pod-plan.ts'
import { type Action, isAlive, keyOf, newestOf } from './pod-seen.ts'

const names = (actions: readonly Action[]) => actions.map(keyOf)

describe('planPod', () => {
  test('makes volumes, sandbox and image side by side for a new pod', () => {
    const plan = planPod(aSeen({ volumes: 'unknown', sandbox: undefined, images: new Map() }))
    expect(names(plan.actions)).toEqual(['volumes', 'sandbox', 'image/web'])
  })

  test('starts a container as soon as all three are there', () => {
    expect(names(planPod(aSeen({})).actions)).toEqual(['start/web'])
  })

  test('does nothing while a container runs', () => {
    const plan = planPod(aSeen({ containers: [aContainerSeen({ name: 'web' })] }))
    expect(plan).toMatchObject({ phase: 'running', actions: [], recheckInMs: undefined })
  })

  test('starts regular containers one after the other, in their order', () => {
    const pod = aPod({ containers: [{ name: 'b' }, { name: 'a' }] })
    expect(names(planPod(aSeen({ pod })).actions)).toEqual(['start/b'])
  })

  test('lets a container that waits hold up no other one', () => {
    const pod = aPod({ containers: [{ name: 'a' }, { name: 'b' }] })
    const trouble = { reason: 'ErrImagePull', message: 'no', atMs: 0, count: 1 }
    const troubles = new Map([['image/a', trouble]])
    const images = new Map([['b', anImage('b')]])
    const plan = planPod(aSeen({ pod, troubles, images, nowMs: 1000 }))
    expect(names(plan.actions)).toEqual(['start/b'])
    expect(plan.waiting.get('a')?.reason).toBe('ErrImagePull')
  })

  test('calls a pull that failed a back-off after a while', () => {
    const trouble = { reason: 'ErrImagePull', message: 'no such tag', atMs: 0, count: 1 }
    const troubles = new Map([['image/web', trouble]])
    const plan = planPod(aSeen({ troubles, images: new Map(), nowMs: 4000 }))
    expect(plan.waiting.get('web')).toEqual({
      reason: 'ImagePullBackOff',
      message: 'Back-off pulling image "web:1": ErrImagePull: no such tag',
    })
    expect(plan.recheckInMs).toBe(6000)
  })

  test('waits for the postStart hook of one container before it starts the next', () => {
    const pod = aPod({ containers: [{ name: 'a' }, { name: 'b' }] })
    const containers = [aContainerSeen({ name: 'a', id: 'a0' })]
    const postStart = new Map([['a0', 'pending' as const]])
    expect(names(planPod(aSeen({ pod, containers, postStart })).actions)).toEqual(['post-start/a0'])
  })

  test('runs init containers one by one, and sidecars beside the rest', () => {
    const side = { name: 'side', restartPolicy: 'Always' }
    const pod = aPod({ initContainers: [{ name: 'i' }, side, { name: 'j' }] })
    const done = (name: string) => aContainerSeen({ name, state: 'exited', exitCode: 0 })
    const runs = aContainerSeen({ name: 'side', id: 's0' })
    const health = (started: boolean) =>
      new Map([['s0', { started, ready: started, failed: undefined }]])
    const steps = [
      planPod(aSeen({ pod })),
      planPod(aSeen({ pod, containers: [aContainerSeen({ name: 'i' })] })),
      planPod(aSeen({ pod, containers: [done('i')] })),
      planPod(aSeen({ pod, containers: [done('i'), runs], health: health(false) })),
      planPod(aSeen({ pod, containers: [done('i'), runs], health: health(true) })),
      planPod(aSeen({ pod, containers: [done('i'), runs, done('j')], health: health(true) })),
    ]
    expect(steps.map(({ actions }) => names(actions))).toEqual([
      ...[['start/i'], [], ['start/side'], [], ['start/j'], ['start/web']],
    ])
  })

  test('ends sidecars last, in reverse, within one grace period', () => {
    const sides = ['s1', 's2'].map((name) => ({ name, restartPolicy: 'Always' }))
    const pod = aPod({ initContainers: sides, deleted: true, graceSeconds: 10 })
    const all = ['s1', 's2', 'web'].map((name) => aContainerSeen({ name, id: name }))
    const plan = planPod(aSeen({ pod, containers: all }))
    expect(names(plan.actions)).toEqual(['stop/web'])
    const rest = planPod(aSeen({ pod, containers: all.slice(0, 2) }))
    expect(names(rest.actions)).toEqual(['stop/s2'])
    const late = new Map([['s1', { sinceMs: 0, graceSeconds: 10, hook: 'none' as const }]])
    const overdue = planPod(aSeen({ pod, containers: all, stopping: late, nowMs: 10_000 }))
    expect(overdue.actions).toContainEqual(
      expect.objectContaining({ do: 'stop', id: 's1', graceSeconds: 2 }),
    )
  })

  test('gives a container what its preStop hook has left of the grace', () => {
    const lifecycle = { preStop: { exec: { command: ['bye'] } } }
    const pod = aPod({ containers: [{ name: 'web', lifecycle }], deleted: true, graceSeconds: 10 })
    const containers = [aContainerSeen({ name: 'web', id: 'w' })]
    expect(names(planPod(aSeen({ pod, containers })).actions)).toEqual(['pre-stop/w'])
    const stopping = new Map([['w', { sinceMs: 0, graceSeconds: 10, hook: 'done' as const }]])
    expect(planPod(aSeen({ pod, containers, stopping, nowMs: 4000 })).actions).toEqual([
      expect.objectContaining({ do: 'stop', graceSeconds: 6 }),
    ])
  })

  test('kills what fails its liveness probe with the grace of the probe', () => {
    const livenessProbe = { terminationGracePeriodSeconds: 3 }
    const pod = aPod({ containers: [{ name: 'web', livenessProbe }] })
    const containers = [aContainerSeen({ name: 'web', id: 'w' })]
    const health = new Map([['w', { started: true, ready: true, failed: 'liveness' as const }]])
    expect(planPod(aSeen({ pod, containers, health })).actions).toEqual([
      expect.objectContaining({
        do: 'stop',
        graceSeconds: 3,
        why: { message: 'Container web failed liveness probe, will be restarted' },
      }),
    ])
  })

  test('makes everything anew when the sandbox has gone', () => {
    const sandbox = { podUid: 'u', state: 'broken' as const, ips: [], createdAtMs: 0 }
    const running = [aContainerSeen({ name: 'web', id: 'w' })]
    expect(names(planPod(aSeen({ sandbox, containers: running })).actions)).toEqual(['stop/w'])
    const ended = [aContainerSeen({ name: 'web', state: 'exited', exitCode: 255 })]
    expect(names(planPod(aSeen({ sandbox, containers: ended })).actions)).toEqual(['sandbox'])
    const reported = { containerStatuses: [aStatus({ restartCount: 4 })] }
    const plan = planPod(aSeen({ reported }))
    expect(plan.actions).toEqual([expect.objectContaining({ do: 'start', attempt: 5 })])
  })

  test('does not run again what may not, though nobody but the API remembers it', () => {
    const pod = aPod({ restartPolicy: 'Never' })
    const reported = { phase: 'Running', containerStatuses: [aStatus({ running: true })] }
    const seen = aSeen({ pod, reported, sandbox: undefined, volumes: 'gone' })
    expect(planPod(seen)).toMatchObject({ phase: 'stopped', actions: [] })
  })

  test('ends a pod at its deadline', () => {
    const pod = aPod({ activeDeadlineSeconds: 5 })
    const reported = { startTime: '1970-01-01T00:00:00Z' }
    const containers = [aContainerSeen({ name: 'web', id: 'w' })]
    expect(planPod(aSeen({ pod, reported, containers, nowMs: 2000 })).recheckInMs).toBe(3000)
    const over = planPod(aSeen({ pod, reported, containers, nowMs: 5000 }))
    expect(over).toMatchObject({ phase: 'stopping', ending: { reason: 'DeadlineExceeded' } })
  })

  test('keeps the last attempt and the one before it', () => {
    const attempts = [0, 1, 2, 3].map((attempt) =>
      aContainerSeen({ name: 'web', id: `w${attempt}`, attempt, state: 'exited', exitCode: 1 }),
    )
    const containers = [...attempts.slice(0, 3), aContainerSeen({ name: 'web', attempt: 3 })]
    expect(names(planPod(aSeen({ containers })).actions)).toEqual(['remove/w0', 'remove/w1'])
  })
})

// Every small pod in every small world. These are the promises that the executor relies on.
test('a plan keeps its promises in every case', () => {
  const cases = everyCase((choose) => {
    const containers = ['a', 'b'].flatMap((name) => {
      const state = choose(['none', 'running', 'exited', 'unknown'] as const)
      if (state === 'none') return []
      const exitCode = state === 'exited' ? choose([0, 1]) : undefined
      return [aContainerSeen({ name, id: name, state, exitCode })]
    })
    const sandbox = choose([undefined, 'ready', 'broken'] as const)
    const pod = aPod({
      containers: [{ name: 'a' }, { name: 'b' }],
      deleted: choose([false, true]),
      restartPolicy: choose(['Always', 'OnFailure', 'Never']),
    })
    const busy = choose([[], ['start/a'], ['volumes'], ['sandbox']] as const)
    const seen = aSeen({
      pod,
      containers,
      sandbox: sandbox && { podUid: 'u', state: sandbox, ips: [], createdAtMs: 0 },
      volumes: choose(['unknown', 'ready', 'gone'] as const),
      images: new Map(choose([[], ['a', 'b']] as const).map((name) => [name, anImage(name)])),
      busy: new Map(busy.map((key) => [key, aWork(key)])),
      isForgotten: choose([false, true]),
    })

    const plan = planPod(seen)

    const starts = plan.actions.flatMap((one) => (one.do === 'start' ? [one.container.name] : []))
    const builds = plan.actions.filter(({ do: what }) =>
      ['start', 'create-sandbox', 'find-image', 'prepare-volumes'].includes(what),
    )
    const alive = seen.containers.filter(isAlive)
    const isEnding = seen.isForgotten || pod.metadata.deletionTimestamp !== undefined
    if (isEnding) expect(plan.phase).not.toBe('running')
    if (plan.phase !== 'running') expect(builds).toEqual([])
    if (plan.phase === 'stopped') {
      expect([alive.length, seen.busy.size, seen.volumes]).toEqual([0, 0, 'gone'])
    }
    // Nothing is removed while something runs in it, nothing runs twice, nothing is begun twice.
    if (alive.length > 0) {
      expect(names(plan.actions).filter((key) => key === 'volumes' && isEnding)).toEqual([])
      expect(plan.actions.filter(({ do: what }) => what === 'remove-sandbox')).toEqual([])
    }
    for (const name of starts) {
      const newest = newestOf(seen, name)
      expect(newest === undefined || newest.state === 'exited').toBe(true)
      expect(seen.sandbox?.state).toBe('ready')
    }
    expect(starts.length).toBeLessThanOrEqual(1)
    const keys = names(plan.actions)
    expect(new Set(keys).size).toBe(keys.length)
    expect(keys.filter((key) => seen.busy.has(key))).toEqual([])
    // Nobody is left hanging: something to do, under way, to wait for, or at rest.
    const isAtRest = plan.phase === 'stopped' || (plan.phase === 'running' && alive.length > 0)
    const goesOn = keys.length > 0 || seen.busy.size > 0 || plan.recheckInMs !== undefined
    expect(goesOn || isAtRest).toBe(true)
  })
  expect(cases).toBe(21_600)
})

function aStatus({ restartCount = 0, running = false }) {
  const state = running ? { running: {} } : { terminated: { exitCode: 1 } }
  const rest = { ready: false, image: 'web:1', imageID: '', containerID: 'containerd://old' }
  return { name: 'web', restartCount, state, ...rest }
}

function aWork(key: string): Action {
  if (key === 'volumes') return { do: 'prepare-volumes' }
  if (key === 'sandbox') return { do: 'create-sandbox' }
  const container = { name: 'a', image: 'web:1' }
  return { do: 'start', container, kind: 'regular', attempt: 1, image: anImage('a') }
}
