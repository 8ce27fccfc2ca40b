// What every runtime promises the agent (src/runtime/contract.ts), as tests.
//
// Commands are those of a shell, so that a fake can tell them apart: `sleep 1000`, `exit 3`, and
// `ignore`, which runs on when it is asked to stop.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Container, Pod } from '../../src/api/schema/generated/types.ts'
import type { ContainerConfig, ImageSeen, Runtime } from '../../src/runtime/contract.ts'

export type RuntimeWorld = {
  readonly runtime: Runtime
  readonly image: ImageSeen
  /** A folder for logs and messages. */
  readonly folder: string
  /** Below this the cgroups of pods are made. */
  readonly cgroupParent: string
  /** The agent ends and comes back; what ran runs on. */
  restart(): Promise<void>
  close(): Promise<void>
}

const signal = new AbortController().signal
const COMMANDS: Record<string, string> = {
  ignore: `trap "" TERM; while :; do sleep 0.05; done`,
}

let podCount = 0

/** A pod of one container, and what the agent would work out from it. */
export function aPod(world: RuntimeWorld, script: string, more: Partial<Container> = {}) {
  podCount += 1
  const uid = `0000000${podCount}-aaaa-bbbb-cccc-${String(process.pid).padStart(12, '0')}`
  const named = { name: 'main', image: 'kedge-test/busybox:1' }
  const container: Container = {
    ...named,
    terminationMessagePath: '/dev/termination-log',
    ...more,
  }
  const pod: Pod = {
    metadata: { name: `pod-${podCount}`, namespace: 'default', uid },
    spec: { containers: [container] },
  }
  const cgroupParent = `${world.cgroupParent}/burstable/pod${uid}`
  const config = (over: Partial<ContainerConfig> = {}): ContainerConfig => ({
    pod,
    container,
    kind: 'regular',
    attempt: 0,
    image: world.image,
    command: ['sh', '-c', COMMANDS[script] ?? script],
    args: undefined,
    env: [],
    mounts: [],
    cgroupParent,
    oomScoreAdj: 1000,
    logPath: `${world.folder}/logs/${uid}/main/${over.attempt ?? 0}.log`,
    terminationMessageFile: `${world.folder}/messages/${uid}`,
    volumeGroups: [],
    ...over,
  })
  const sandbox = {
    hostname: `pod-${podCount}`,
    cgroupParent,
    resolvConf: { servers: ['10.43.0.10'], searches: [], options: [] },
    sysctls: {},
  }
  return { uid, pod, config, sandbox }
}

/** Waits until a container of the pod has ended. */
export async function untilExited(runtime: Runtime, podUid: string, id: string) {
  const ended = async () =>
    (await runtime.observe(podUid, signal)).containers.find(
      (one) => one.id === id && one.state === 'exited',
    )
  const { promise, resolve } = Promise.withResolvers<void>()
  const stop = runtime.onChange(() => void ended().then((one) => one && resolve()))
  try {
    if ((await ended()) === undefined) await promise
    return (await ended())!
  } finally {
    stop()
  }
}

export function runtimeContract(name: string, open: () => Promise<RuntimeWorld>): void {
  describe(name, () => {
    let world: RuntimeWorld
    beforeAll(async () => {
      world = await open()
    }, 60_000)
    afterAll(() => world.close(), 60_000)

    test('a pod that nobody made is empty', async () => {
      const seen = await world.runtime.observe('00000000-nobody', signal)
      expect(seen).toEqual({ sandbox: undefined, containers: [] })
      await world.runtime.removeSandbox('00000000-nobody', signal)
    })

    test('a sandbox is ready with an address, is seen, and goes', async () => {
      const { runtime } = world
      const { uid, pod, sandbox } = aPod(world, 'sleep 1000')
      const made = await runtime.createSandbox(pod, sandbox, signal)
      expect(made).toMatchObject({ podUid: uid, state: 'ready' })
      expect(made.ips).toHaveLength(1)
      expect((await runtime.observeAll(signal)).get(uid)?.sandbox).toEqual(made)
      await runtime.removeSandbox(uid, signal)
      expect((await runtime.observeAll(signal)).has(uid)).toBe(false)
    })

    test('a container runs until it is stopped', async () => {
      const { runtime } = world
      const { uid, pod, config, sandbox } = aPod(world, 'sleep 1000')
      await runtime.createSandbox(pod, sandbox, signal)
      const started = await runtime.startContainer(config(), signal)
      expect(started).toMatchObject({ podUid: uid, name: 'main', attempt: 0, state: 'running' })
      expect((await runtime.observe(uid, signal)).containers).toEqual([started])
      await runtime.stopContainer(started.id, 0, signal)
      const [ended] = (await runtime.observe(uid, signal)).containers
      expect(ended).toMatchObject({ id: started.id, state: 'exited' })
      expect(ended!.exitedAtMs).toBeGreaterThanOrEqual(started.startedAtMs!)
      await runtime.stopContainer(started.id, 0, signal)
      await runtime.removeSandbox(uid, signal)
    })

    test('an exit is told, with its code', async () => {
      const { runtime } = world
      const { uid, pod, config, sandbox } = aPod(world, 'exit 3')
      await runtime.createSandbox(pod, sandbox, signal)
      const { id } = await runtime.startContainer(config(), signal)
      expect(await untilExited(runtime, uid, id)).toMatchObject({ exitCode: 3, oomKilled: false })
      await runtime.removeSandbox(uid, signal)
    })

    test('a second attempt stands beside the first, the newest last', async () => {
      const { runtime } = world
      const { uid, pod, config, sandbox } = aPod(world, 'exit 1')
      await runtime.createSandbox(pod, sandbox, signal)
      const first = await runtime.startContainer(config(), signal)
      await untilExited(runtime, uid, first.id)
      const second = await runtime.startContainer(config({ attempt: 1 }), signal)
      await untilExited(runtime, uid, second.id)
      const ids = async () => (await runtime.observe(uid, signal)).containers.map(({ id }) => id)
      expect(await ids()).toEqual([first.id, second.id])
      await runtime.removeContainer(first.id, { logs: true }, signal)
      expect(await ids()).toEqual([second.id])
      await runtime.removeSandbox(uid, signal)
    })

    test('who does not listen to the stop signal is killed', async () => {
      const { runtime } = world
      const { uid, pod, config, sandbox } = aPod(world, 'ignore')
      await runtime.createSandbox(pod, sandbox, signal)
      const { id } = await runtime.startContainer(config(), signal)
      await runtime.stopContainer(id, 1, signal)
      expect((await runtime.observe(uid, signal)).containers[0]).toMatchObject({ exitCode: 137 })
      await runtime.removeSandbox(uid, signal)
    })

    test('a command in a container ends with its code', async () => {
      const { runtime } = world
      const { uid, pod, config, sandbox } = aPod(world, 'sleep 1000')
      await runtime.createSandbox(pod, sandbox, signal)
      const { id } = await runtime.startContainer(config(), signal)
      const options = {
        command: ['sh', '-c', 'exit 7'],
        tty: false,
        stdin: false,
        rest: 'wait' as const,
      }
      const session = await runtime.exec(id, options, signal)
      expect(await session.exitCode).toBe(7)
      await runtime.removeSandbox(uid, signal)
      await expect(runtime.exec(id, options, signal)).rejects.toThrow('not running')
    })

    test('containers outlive the agent', async () => {
      const { uid, pod, config, sandbox } = aPod(world, 'sleep 1000')
      const made = await world.runtime.createSandbox(pod, sandbox, signal)
      const started = await world.runtime.startContainer(config(), signal)
      await world.restart()
      const seen = await world.runtime.observe(uid, signal)
      expect(seen.sandbox).toEqual(made)
      expect(seen.containers).toEqual([started])
      expect(await world.runtime.createSandbox(pod, sandbox, signal)).toEqual(made)
      await world.runtime.removeSandbox(uid, signal)
    })
  })
}
