// What people and nodes do, step by step, while controllers are at work.

const template = (app: string, image: string, more: object = {}) => ({
  metadata: { labels: { app }, annotations: { note: 'a <b> & c' } },
  spec: { containers: [{ name: 'c', image }], ...more },
})

const CLAIM = {
  metadata: { name: 'data' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
}

const NODE = 'compare-a'

/** Pods of it are bound already, so that no scheduler has a say. */
const statefulSet = (spec: object) => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'web', annotations: { 'kubernetes.io/change-cause': 'first' } },
  spec: {
    replicas: 2,
    serviceName: 'web',
    selector: { matchLabels: { app: 'web' } },
    template: template('web', 'a', { nodeName: NODE }),
    ...spec,
  },
})

const daemonSet = (spec: object) => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'web' },
  spec: { selector: { matchLabels: { app: 'web' } }, template: template('web', 'a'), ...spec },
})

const SETS = '/apis/apps/v1/namespaces/{ns}/statefulsets'
const DAEMONS = '/apis/apps/v1/namespaces/{ns}/daemonsets'

export type Step = { does: string } & (
  | { method: 'POST' | 'PATCH' | 'DELETE'; path: string; body?: object }
  /** Nodes start what is new, and end what was asked to go. */
  | { nodes: 'start' | 'end' | 'fail' }
)

const image = (name: string) => ({
  spec: { template: { spec: { containers: [{ name: 'c', image: name }] } } },
})
const patch = (does: string, path: string, body: object): Step => ({
  ...{ does, method: 'PATCH', path, body },
})
const start: Step = { does: 'nodes start pods', nodes: 'start' }
const end: Step = { does: 'nodes end pods', nodes: 'end' }

const rollOfSet: Step[] = [
  patch('another image', `${SETS}/web`, image('b')),
  ...[end, start, end, start],
  patch('the first image again', `${SETS}/web`, image('a')),
  ...[end, start, end, start],
]

export const SCENARIOS: ReadonlyMap<string, { nodes: string[]; steps: Step[] }> = new Map([
  [
    'statefulset',
    {
      nodes: [NODE],
      steps: [
        { does: 'create', method: 'POST', path: SETS, body: statefulSet({}) },
        ...[start, start],
        ...rollOfSet,
        patch('three', `${SETS}/web`, { spec: { replicas: 3 } }),
        start,
        patch('one', `${SETS}/web`, { spec: { replicas: 1 } }),
        ...[end, end],
      ],
    },
  ],
  [
    'statefulset-parallel',
    {
      nodes: [NODE],
      steps: [
        {
          does: 'create',
          method: 'POST',
          path: SETS,
          body: statefulSet({
            podManagementPolicy: 'Parallel',
            ordinals: { start: 4 },
            volumeClaimTemplates: [CLAIM],
            persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Delete' },
          }),
        },
        start,
        { does: 'pods fail', nodes: 'fail' },
        start,
        patch('one', `${SETS}/web`, { spec: { replicas: 1 } }),
      ],
    },
  ],
  [
    'daemonset',
    {
      nodes: [NODE],
      steps: [
        {
          does: 'create',
          method: 'POST',
          path: DAEMONS,
          body: daemonSet({ template: template('web', 'a', { nodeName: NODE }) }),
        },
        start,
        patch('another image', `${DAEMONS}/web`, image('b')),
        ...[end, start],
        patch('the first image again', `${DAEMONS}/web`, image('a')),
        ...[end, start],
        { does: 'pods fail', nodes: 'fail' },
        start,
      ],
    },
  ],
])
