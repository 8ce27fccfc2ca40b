// The pods of the pods suite, as objects. Those that need the first machine ask for it.

const HERE = { 'kubernetes.io/hostname': 'server' }
const IMAGE = 'kedge-test/busybox:1'
const sh = (script: string) => ['sh', '-c', script]

/** A pod that asks for nearly everything; `folder` is a folder of the machine. */
export function longPod(folder: string): object[] {
  const config = { name: 'config', key: 'key' }
  const mounts = [
    { name: 'shared', mountPath: '/shared' },
    { name: 'memory', mountPath: '/memory' },
    { name: 'host', mountPath: '/host' },
    { name: 'all', mountPath: '/all', readOnly: true },
  ]
  const main = {
    name: 'main',
    image: IMAGE,
    command: sh(UNTIL_TOLD),
    volumeMounts: mounts,
    securityContext: {
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
    },
    lifecycle: {
      postStart: { exec: { command: sh('echo post-start > /shared/hook') } },
      preStop: { exec: { command: sh('echo pre-stop > /host/pre-stop') } },
    },
    startupProbe: { exec: { command: ['test', '-f', '/shared/hook'] }, periodSeconds: 1 },
    resources: { limits: { cpu: '500m', memory: '32Mi' } },
    envFrom: [{ prefix: 'ALL_', configMapRef: { name: 'config' } }],
    env: [
      { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      { name: 'KEY', valueFrom: { configMapKeyRef: config } },
      { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
      { name: 'JOINED', value: '$(POD)-$(KEY)' },
    ],
  }
  const shared = [{ name: 'shared', mountPath: '/shared' }]
  const initContainers = [
    {
      name: 'first',
      image: IMAGE,
      volumeMounts: shared,
      command: sh('echo from init > /shared/first'),
    },
    {
      name: 'beside',
      image: IMAGE,
      volumeMounts: shared,
      restartPolicy: 'Always',
      command: sh(`test -f /shared/first && echo beat > /shared/beat; ${UNTIL_TOLD}`),
      startupProbe: { exec: { command: ['test', '-f', '/shared/beat'] }, periodSeconds: 1 },
    },
  ]
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'long', labels: { app: 'long' } },
    spec: {
      nodeSelector: HERE,
      initContainers,
      containers: [main],
      volumes: volumes(folder),
      securityContext: {
        runAsUser: 1000,
        runAsGroup: 3000,
        fsGroup: 2000,
        supplementalGroups: [4000],
        seccompProfile: { type: 'RuntimeDefault' },
      },
    },
  }
  const named = { apiVersion: 'v1', metadata: { name: 'config' } }
  return [
    { ...named, kind: 'ConfigMap', data: { key: 'value' } },
    { ...named, kind: 'Secret', stringData: { secret: 'hidden' } },
    pod,
  ]
}

const UNTIL_TOLD = 'trap "exit 0" TERM; while :; do sleep .1; done'

function volumes(folder: string): object[] {
  const labels = { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }
  const sources = [
    { serviceAccountToken: { path: 'token' } },
    { configMap: { name: 'config', items: [{ key: 'key', path: 'config/key' }] } },
    { secret: { name: 'config', items: [{ key: 'secret', path: 'secret', mode: 0o400 }] } },
    { downwardAPI: { items: [labels] } },
  ]
  return [
    { name: 'shared', emptyDir: {} },
    { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '8Mi' } },
    { name: 'host', hostPath: { path: folder, type: 'Directory' } },
    { name: 'all', projected: { sources } },
  ]
}

/** Runs a script; without a liveness probe only once. */
export function shortPod(name: string, script: string, livenessProbe?: object): object {
  const container = {
    name,
    image: IMAGE,
    command: sh(script),
    livenessProbe,
    terminationMessagePolicy: 'FallbackToLogsOnError',
  }
  const restartPolicy = livenessProbe === undefined ? 'Never' : 'Always'
  const spec = { containers: [container], restartPolicy, terminationGracePeriodSeconds: 2 }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }
}

/** Serves /tmp at 8080, and is Ready by this probe. */
export function probedPod(name: string, probe: object, more: object = {}): object {
  const container = {
    name: 'web',
    image: IMAGE,
    command: sh(`httpd -p 8080 -h /; ${UNTIL_TOLD}`),
    readinessProbe: { ...probe, periodSeconds: 1, failureThreshold: 1 },
  }
  const spec = { containers: [container], nodeSelector: HERE, ...more }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }
}

/** Two pods with names of their own, one on each node, and their Service. */
export function headlessPods(): object[] {
  const labels = { app: 'named' }
  const pod = (name: string, node: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels },
    spec: {
      hostname: name,
      subdomain: 'named',
      containers: [container],
      nodeSelector: { 'kubernetes.io/hostname': node },
    },
  })
  const container = { name: 'main', image: IMAGE, command: sh(UNTIL_TOLD) }
  const spec = { clusterIP: 'None', selector: labels, ports: [{ port: 80 }] }
  return [
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'named' }, spec },
    pod('zero', 'server'),
    pod('one', 'edge'),
  ]
}
