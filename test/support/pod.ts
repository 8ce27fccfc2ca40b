// Small pods, and small worlds around them, for tests of plans. What is not said is of no matter.

import type { Seen } from '../../src/agent/plan/pod-seen.ts'
import type { Container, Pod, PodSpec } from '../../src/api/schema/generated/types.ts'
import type { ContainerSeen, ImageSeen } from '../../src/runtime/contract.ts'

export type PodWish = Partial<PodSpec> & {
  name?: string
  deleted?: boolean
  graceSeconds?: number
  status?: Pod['status']
}

const IMAGE = 'web:1'

/** One container `web`, always restarted, unless said otherwise. */
export function aPod(wish: PodWish = {}): Pod {
  const { name = 'pod', deleted = false, graceSeconds, status, ...spec } = wish
  const withImage = (container: Container) => ({ image: IMAGE, ...container })
  return {
    metadata: {
      name,
      namespace: 'default',
      uid: 'u',
      generation: 1,
      ...(deleted ? { deletionTimestamp: '1970-01-01T00:00:00Z' } : {}),
      ...(graceSeconds === undefined ? {} : { deletionGracePeriodSeconds: graceSeconds }),
    },
    spec: {
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      ...spec,
      containers: (spec.containers ?? [{ name: 'web' }]).map(withImage),
      initContainers: (spec.initContainers ?? []).map(withImage),
    },
    ...(status === undefined ? {} : { status }),
  }
}

/** Running, unless said otherwise. */
export function aContainerSeen(
  wish: Partial<Omit<ContainerSeen, 'exitCode'>> & { name: string; exitCode?: number | undefined },
): ContainerSeen {
  const isOver = wish.state === 'exited'
  return {
    id: `${wish.name}-id`,
    podUid: 'u',
    kind: 'regular',
    attempt: 0,
    state: 'running',
    createdAtMs: 0,
    startedAtMs: 0,
    exitedAtMs: isOver ? 0 : undefined,
    signal: undefined,
    oomKilled: false,
    image: IMAGE,
    imageId: `${IMAGE}@sha256:1`,
    failure: undefined,
    ...wish,
    exitCode: wish.exitCode ?? (isOver ? 0 : undefined),
  }
}

/** Everything is in place, and nothing has been started. */
export function aSeen(wish: Partial<Seen>): Seen {
  const pod = wish.pod ?? aPod()
  const { containers, initContainers = [] } = pod.spec
  const images = [...containers, ...initContainers].map(
    ({ name }) => [name, anImage(name)] as const,
  )
  return {
    nowMs: 0,
    pod,
    isForgotten: false,
    rejection: undefined,
    sandbox: { podUid: 'u', state: 'ready', ips: ['10.42.0.2'], createdAtMs: 0 },
    containers: [],
    volumes: 'ready',
    images: new Map(images),
    busy: new Map(),
    troubles: new Map(),
    health: new Map(),
    postStart: new Map(),
    stopping: new Map(),
    restarts: new Map(),
    reported: {},
    ...wish,
  }
}

export function anImage(name: string): ImageSeen {
  return {
    id: `${name}@sha256:1`,
    name,
    repoTags: [],
    repoDigests: [],
    sizeBytes: 1,
    config: {
      user: '',
      env: [],
      entrypoint: [],
      cmd: [],
      workingDir: '',
      stopSignal: '',
      volumes: [],
    },
  }
}
