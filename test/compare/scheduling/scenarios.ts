// Small clusters made up from a number, each with one pod that wants a node: the same number gives
// the same cluster for ever, so that what a real scheduler did with it can be recorded.

import type {
  Affinity,
  LabelSelector,
  Node,
  Pod,
  PodAffinityTerm,
  PodDisruptionBudget,
  PodSpec,
  Service,
  TopologySpreadConstraint,
} from '../../../src/api/schema/generated/types.ts'
import { type Random, SeededRandom } from '../../../src/lib/random.ts'

export type Scenario = {
  readonly nodes: readonly Node[]
  /** They have nodes. */
  readonly placed: readonly Pod[]
  readonly pod: Pod
  readonly services: readonly Service[]
  readonly budgets: readonly PodDisruptionBudget[]
}

/** Names of priority classes and their values. */
export const PRIORITIES = { low: 10, middle: 100, high: 1000 } as const

export const NAMESPACE = 'made-up'

export function scenarioOf(seed: number): Scenario {
  const dice = new Dice(new SeededRandom(seed))
  // Half of the scenarios are roomy and about choosing, half are tight and about refusing.
  const isTight = seed % 2 === 0
  const nodes = dice.times(dice.between(2, isTight ? 4 : 6), (i) => aNode(dice, `n${i}`, isTight))
  const placed = nodes.flatMap((node) =>
    dice.times(dice.between(isTight ? 1 : 0, isTight ? 5 : 3), (i) => {
      const pod = aPod(dice, `${node.metadata.name}-${i}`, isTight ? 'tight' : 'placed')
      return onNode(pod, node.metadata.name!)
    }),
  )
  // No two have started at the same time: which of them is older is then no matter of chance.
  for (const [i, pod] of placed.entries()) {
    pod.status = { startTime: new Date(Date.UTC(2026, 0, 1, 0, (7 * i) % 59)).toISOString().replace('.000', '') }
  }
  const pod = aPod(dice, 'it', isTight ? 'urgent' : 'roomy')
  const scenario = { nodes, placed, pod, services: [], budgets: [] }
  if (seed <= PLAIN_MAX) return scenario
  if (isTight) return { ...scenario, budgets: dice.times(2, (i) => aBudget(dice, `b${i}`)) }
  // What nobody says is spread by the default constraints, over what a service selects.
  delete pod.spec.topologySpreadConstraints
  return { ...scenario, services: [aService(dice, 's')] }
}

/** Scenarios with larger numbers have services, or budgets. */
const PLAIN_MAX = 400

function aService(dice: Dice, name: string): Service {
  const selector = { app: dice.of(['web', 'db']) }
  return { metadata: { name, namespace: NAMESPACE }, spec: { selector, ports: [{ port: 80 }] } }
}

function aBudget(dice: Dice, name: string): PodDisruptionBudget {
  const matchLabels = dice.of([{ app: 'web' }, { app: 'db' }, { tier: 'front' }])
  return {
    metadata: { name, namespace: NAMESPACE },
    spec: { selector: { matchLabels }, minAvailable: 1 },
    status: {
      disruptionsAllowed: dice.between(0, 1),
      currentHealthy: 0,
      desiredHealthy: 0,
      expectedPods: 0,
    },
  }
}

class Dice {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  between(least: number, most: number): number {
    return least + Math.floor(this.#random.next() * (most - least + 1))
  }

  in(percent: number): boolean {
    return this.#random.next() * 100 < percent
  }

  of<T>(options: readonly T[]): T {
    return options[this.between(0, options.length - 1)]!
  }

  times<T>(count: number, make: (i: number) => T): T[] {
    return Array.from({ length: count }, (_, i) => make(i))
  }
}

const ZONE = 'topology.kubernetes.io/zone'
const HOST = 'kubernetes.io/hostname'
const MIB = 1024 * 1024
const IMAGE_MIB = [300, 800]

function aNode(dice: Dice, name: string, isTight: boolean): Node {
  const labels: Record<string, string> = { [HOST]: name }
  if (dice.in(85)) labels[ZONE] = dice.of(['east', 'west'])
  if (dice.in(50)) labels.disk = dice.of(['ssd', 'hdd'])
  const taints = [
    ...(dice.in(20) ? [{ key: 'soft', value: 'x', effect: 'PreferNoSchedule' }] : []),
    ...(dice.in(15) ? [{ key: 'hard', value: 'y', effect: 'NoSchedule' }] : []),
  ]
  const images = dice.times(dice.between(0, 2), (i) => ({
    names: [`registry.local/image${i}:v1`],
    sizeBytes: IMAGE_MIB[i]! * MIB,
  }))
  return {
    metadata: { name, labels },
    spec: { ...(taints.length > 0 ? { taints } : {}), ...(dice.in(8) ? { unschedulable: true } : {}) },
    status: {
      allocatable: {
        cpu: `${dice.of(isTight ? [500, 1000, 2000] : [4000, 8000, 16000])}m`,
        memory: `${dice.of(isTight ? [1, 2, 4] : [8, 16, 32])}Gi`,
        pods: `${isTight ? dice.between(3, 6) : 110}`,
      },
      images,
    },
  }
}

function onNode(pod: Pod, nodeName: string): Pod {
  return { ...pod, spec: { ...pod.spec, nodeName } }
}

const CLASSES = {
  placed: ['middle'],
  roomy: ['middle'],
  tight: ['low', 'low', 'middle', 'high'],
  urgent: ['middle', 'high', 'high'],
} as const

type Kind = keyof typeof CLASSES

function aPod(dice: Dice, name: string, kind: Kind): Pod {
  const labels: Record<string, string> = {}
  if (dice.in(70)) labels.app = dice.of(['web', 'db'])
  if (dice.in(30)) labels.tier = dice.of(['front', 'back'])
  const requests: Record<string, string> = {}
  if (dice.in(80)) requests.cpu = `${dice.of(kind === 'tight' || kind === 'urgent' ? [250, 400, 700] : [100, 250, 400])}m`
  if (dice.in(60)) requests.memory = `${dice.of([64, 256, 600])}Mi`
  const spec: PodSpec = {
    priorityClassName: dice.of(CLASSES[kind]),
    containers: [
      {
        name: 'c',
        image: `registry.local/image${dice.between(0, 2)}:v1`,
        resources: { requests },
        ...(dice.in(8) ? { ports: [{ containerPort: 80, hostPort: dice.of([80, 81]) }] } : {}),
      },
    ],
  }
  if (dice.in(25)) spec.tolerations = [{ key: dice.of(['soft', 'hard']), operator: 'Exists' }]
  if (dice.in(15)) spec.nodeSelector = { disk: dice.of(['ssd', 'hdd']) }
  const affinity = anAffinity(dice, kind)
  if (Object.keys(affinity).length > 0) spec.affinity = affinity
  const spread = dice.in(kind === 'placed' ? 0 : 35) ? someConstraints(dice, kind) : []
  if (spread.length > 0) spec.topologySpreadConstraints = spread
  if (dice.in(5)) spec.preemptionPolicy = 'PreemptLowerPriority'
  return { metadata: { name, namespace: NAMESPACE, uid: name, labels }, spec }
}

function anAffinity(dice: Dice, kind: Kind): Affinity {
  const affinity: Affinity = {}
  const mustPercent = kind === 'urgent' ? 10 : 6
  if (dice.in(20)) {
    affinity.nodeAffinity = {
      preferredDuringSchedulingIgnoredDuringExecution: dice.times(dice.between(1, 2), () => ({
        weight: dice.between(1, 100),
        preference: {
          matchExpressions: [{ key: dice.of(['disk', ZONE]), operator: dice.of(['Exists', 'DoesNotExist']) }],
        },
      })),
    }
  }
  if (dice.in(mustPercent)) {
    affinity.nodeAffinity = {
      ...affinity.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [
          dice.in(50)
            ? { matchFields: [{ key: 'metadata.name', operator: 'In', values: [dice.of(['n0', 'n9'])] }] }
            : { matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] },
        ],
      },
    }
  }
  for (const part of ['podAffinity', 'podAntiAffinity'] as const) {
    if (dice.in(mustPercent)) {
      affinity[part] = { requiredDuringSchedulingIgnoredDuringExecution: someTerms(dice) }
    }
    if (dice.in(20)) {
      affinity[part] = {
        ...affinity[part],
        preferredDuringSchedulingIgnoredDuringExecution: someTerms(dice).map((podAffinityTerm) => ({
          weight: dice.between(1, 100),
          podAffinityTerm,
        })),
      }
    }
  }
  return affinity
}

function someTerms(dice: Dice): PodAffinityTerm[] {
  return dice.times(dice.between(1, 2), () => ({
    topologyKey: dice.of([ZONE, HOST]),
    labelSelector: aSelector(dice),
    ...(dice.in(15) ? { namespaceSelector: {} } : {}),
  }))
}

function aSelector(dice: Dice): LabelSelector {
  return dice.in(70)
    ? { matchLabels: { app: dice.of(['web', 'db']) } }
    : { matchExpressions: [{ key: 'tier', operator: dice.of(['Exists', 'DoesNotExist']) }] }
}

function someConstraints(dice: Dice, kind: Kind): TopologySpreadConstraint[] {
  const isHard = dice.in(kind === 'urgent' ? 70 : 30)
  const keys = dice.in(40) ? [ZONE, HOST] : [dice.of([ZONE, HOST])]
  return keys.map((topologyKey) => ({
    topologyKey,
    maxSkew: dice.between(1, 2),
    whenUnsatisfiable: isHard ? 'DoNotSchedule' : 'ScheduleAnyway',
    labelSelector: aSelector(dice),
    ...(isHard && dice.in(20) ? { minDomains: dice.between(2, 3) } : {}),
    ...(dice.in(20) ? { nodeAffinityPolicy: dice.of(['Honor', 'Ignore']) } : {}),
    ...(dice.in(20) ? { nodeTaintsPolicy: dice.of(['Honor', 'Ignore']) } : {}),
    ...(dice.in(15) ? { matchLabelKeys: ['tier-of-another-kind'] } : {}),
  }))
}
