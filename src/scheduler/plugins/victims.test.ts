import { describe, expect, test } from 'bun:test'
import { everyCase } from '../../../test/support/every-case.ts'
import { aNode, aPod, testPlugins } from '../../../test/support/scheduling.ts'
import type { Pod } from '../../api/schema/generated/types.ts'
import { Cluster } from '../cluster.ts'
import type { FailedAttempt, Plugin } from '../framework.ts'
import { placePod } from '../place.ts'
import { type Budget, bestCandidates, findCandidates } from './victims.ts'

const BIG = { allocatable: { cpu: '4', memory: '4Gi', pods: '10' } }

type Parts = { priority: number; cpu: number; app?: string; startedAt?: string }

function running(name: string, { priority, cpu, app, startedAt }: Parts): Pod {
  const resources = { requests: { cpu: `${cpu}` } }
  const containers = [{ name: 'c', image: 'i', resources }]
  const pod = aPod({ priority, containers }, app ? { app } : {}, { name, uid: name })
  return { ...pod, status: startedAt ? { startTime: startedAt } : {} }
}

/** What PostFilter is given when `pod` fits nowhere. */
function attemptOf(pod: Pod, cluster: Cluster): FailedAttempt {
  let seen: FailedAttempt | undefined
  const looking: Plugin = {
    name: 'Looking',
    postFilter(attempt) {
      seen = attempt
      return { ok: false, message: '' }
    },
  }
  const plugins = [looking, ...testPlugins()]
  expect(placePod(pod, cluster, { plugins, dice: () => 0 }).ok).toBe(false)
  return seen!
}

function choose(pod: Pod, cluster: Cluster, budgets: readonly Budget[] = []) {
  const { candidates } = findCandidates(attemptOf(pod, cluster), budgets)
  return bestCandidates(candidates).map(({ nodeName, victims, violationCount }) => ({
    nodeName,
    violationCount,
    victims: victims.map(({ metadata }) => metadata.name),
  }))
}

function aCluster(placed: Record<string, readonly Pod[]>): Cluster {
  const cluster = new Cluster()
  for (const [name, pods] of Object.entries(placed)) {
    cluster.setNode(aNode(name, { status: BIG }))
    for (const pod of pods) cluster.setPod(pod, name)
  }
  return cluster
}

const it = (cpu: number) => running('it', { priority: 100, cpu })

describe('victims on a node', () => {
  test('are as few and as unimportant as will do, and the newest of equals', () => {
    const cluster = aCluster({
      a: [
        running('more', { priority: 50, cpu: 1 }),
        running('old', { priority: 10, cpu: 1, startedAt: '2026-01-01T00:00:00Z' }),
        running('new', { priority: 10, cpu: 1, startedAt: '2026-01-02T00:00:00Z' }),
        running('equal', { priority: 100, cpu: 1 }),
      ],
    })
    expect(choose(it(1), cluster)).toMatchObject([{ victims: ['new'] }])
    expect(choose(it(2), cluster)).toMatchObject([{ victims: ['old', 'new'] }])
    expect(choose(it(3), cluster)).toMatchObject([{ victims: ['more', 'old', 'new'] }])
    expect(choose(it(4), cluster)).toEqual([])
  })

  test('are rather those that no budget keeps', () => {
    const budget: Budget = {
      metadata: { namespace: 'default' },
      spec: { selector: { matchLabels: { app: 'db' } } },
      status: { disruptionsAllowed: 1 },
    }
    const cluster = aCluster({
      a: [
        running('db-1', { priority: 10, cpu: 1, app: 'db' }),
        running('db-2', { priority: 10, cpu: 1, app: 'db' }),
        running('web', { priority: 20, cpu: 2, app: 'web' }),
      ],
    })
    const spent = { ...budget, status: { disruptionsAllowed: 0 } }
    expect(choose(it(1), cluster)).toMatchObject([{ victims: ['db-2'], violationCount: 0 }])
    expect(choose(it(1), cluster, [spent])).toMatchObject([{ victims: ['web'], violationCount: 0 }])
    // What is being evicted already has been counted.
    const counted = { ...spent, status: { disruptionsAllowed: 0, disruptedPods: { 'db-2': '' } } }
    expect(choose(it(1), cluster, [counted])).toMatchObject([{ victims: ['db-2'] }])
    expect(choose(it(4), cluster, [budget])).toMatchObject([
      { victims: ['web', 'db-2', 'db-1'], violationCount: 1 },
    ])
    const elsewhere = { ...spent, metadata: { namespace: 'other' } }
    expect(choose(it(1), cluster, [elsewhere])).toMatchObject([{ victims: ['db-2'] }])
  })

  test('are those whose anti-affinity, port or skew is in the way', () => {
    const term = {
      topologyKey: 'kubernetes.io/hostname',
      labelSelector: { matchLabels: { a: 'b' } },
    }
    const podAntiAffinity = { requiredDuringSchedulingIgnoredDuringExecution: [term] }
    const shy = aPod({ priority: 1, affinity: { podAntiAffinity } }, {}, { name: 'shy' })
    const calm = aPod({ priority: 0 }, {}, { name: 'calm' })
    const wanted = aPod({ priority: 100 }, { a: 'b' })
    expect(choose(wanted, aCluster({ a: [shy, calm] }))).toMatchObject([{ victims: ['shy'] }])
    const ports = [{ containerPort: 80, hostPort: 80 }]
    const containers = [{ name: 'c', image: 'i', ports }]
    const holder = aPod({ priority: 1, containers }, {}, { name: 'holder' })
    expect(
      choose(aPod({ priority: 100, containers }), aCluster({ a: [holder, calm] })),
    ).toMatchObject([{ victims: ['holder'] }])
    const spread = {
      maxSkew: 1,
      topologyKey: 'kubernetes.io/hostname',
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: { matchLabels: { a: 'b' } },
    }
    const one = (name: string, priority: number) => aPod({ priority }, { a: 'b' }, { name })
    const full = aCluster({ a: [one('a1', 1), one('a2', 2)], b: [one('b1', 200)] })
    // Node b is refused for its room only, node a for its skew.
    full.setNode(aNode('b', { status: { allocatable: { cpu: '4', memory: '4Gi', pods: '1' } } }))
    const skewed = aPod({ priority: 100, topologySpreadConstraints: [spread] }, { a: 'b' })
    expect(choose(skewed, full)).toMatchObject([{ nodeName: 'a', victims: ['a1'] }])
  })
})

describe('the node for it', () => {
  const started = (name: string, priority: number, cpu: number, day: number) =>
    running(name, { priority, cpu, startedAt: `2026-01-0${day}T00:00:00Z` })

  test('is the one where the least is lost, by each rule in turn', () => {
    const cases: [Record<string, Pod[]>, string[]][] = [
      [{ a: [started('1', 10, 4, 1)], b: [started('2', 20, 4, 1)] }, ['a']],
      [
        {
          a: [started('1', 20, 2, 1), started('2', 10, 2, 1)],
          b: [started('3', 20, 2, 1), started('4', 5, 2, 1)],
        },
        ['b'],
      ],
      [
        { a: [started('1', 10, 2, 1), started('2', -10, 2, 1)], b: [started('3', 10, 4, 1)] },
        ['b'],
      ],
      [{ a: [started('1', 10, 4, 1)], b: [started('2', 10, 4, 2)] }, ['b']],
      [{ a: [started('1', 10, 4, 1)], b: [started('2', 10, 4, 1)] }, ['a', 'b']],
    ]
    for (const [placed, names] of cases) {
      expect(choose(it(4), aCluster(placed)).map(({ nodeName }) => nodeName)).toEqual(names)
    }
  })

  test('is rather one where no budget is broken', () => {
    const budget: Budget = {
      metadata: { namespace: 'default' },
      spec: { selector: { matchLabels: { app: 'db' } } },
      status: { disruptionsAllowed: 0 },
    }
    const cluster = aCluster({
      a: [running('db', { priority: 1, cpu: 4, app: 'db' })],
      b: [running('web', { priority: 99, cpu: 4, app: 'web' })],
    })
    expect(choose(it(4), cluster).map(({ nodeName }) => nodeName)).toEqual(['a'])
    expect(choose(it(4), cluster, [budget]).map(({ nodeName }) => nodeName)).toEqual(['b'])
  })
})

test('the pod fits without its victims, and with any of them back it does not', () => {
  let found = 0
  everyCase((pick) => {
    const pods = ['1', '2', '3'].map((name) =>
      running(name, { priority: pick([1, 50, 150]), cpu: pick([1, 2]) }),
    )
    const asked = it(pick([1, 3, 4]))
    const cluster = aCluster({ a: pods })
    const fits = (away: readonly (string | undefined)[]) => {
      const others = pods.filter(({ metadata }) => !away.includes(metadata.name))
      return placePod(asked, aCluster({ a: others }), { plugins: testPlugins(), dice: () => 0 }).ok
    }
    if (fits([])) return
    const attempt = attemptOf(asked, cluster)
    const { candidates, refusals } = findCandidates(attempt, [])
    expect(candidates.length + refusals.size).toBeLessThanOrEqual(1)
    const lesser = pods
      .filter(({ spec }) => spec.priority! < 100)
      .map(({ metadata }) => metadata.name)
    expect(candidates.length === 1).toBe(lesser.length > 0 && fits(lesser))
    for (const { victims } of candidates) {
      found++
      const names = victims.map(({ metadata }) => metadata.name)
      expect(fits(names)).toBe(true)
      for (const name of names) expect(fits(names.filter((one) => one !== name))).toBe(false)
    }
  })
  expect(found).toBeGreaterThan(100)
})
