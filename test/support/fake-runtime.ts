// Containers without a kernel: a Runtime and an ImageStore that live in memory, do what a test tells
// them, and write down what they were asked for. They outlive an agent, as real containers do.

import { ContainerError } from '../../src/api/pod/container-error.ts'
import type { Pod } from '../../src/api/schema/generated/types.ts'
import type { Clock } from '../../src/lib/clock.ts'
import type {
  ContainerConfig,
  ContainerSeen,
  ExecOptions,
  ExecSession,
  ImageSeen,
  ImageStore,
  PodSeen,
  Runtime,
  SandboxSeen,
} from '../../src/runtime/contract.ts'

/** How a command in a container ends. */
export type ExecAnswer = { exitCode: number; output?: string }

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type FakePod = { sandbox: SandboxSeen | undefined; containers: Mutable<ContainerSeen>[] }

export class FakeRuntime implements Runtime {
  readonly #clock: Clock
  readonly #pods = new Map<string, FakePod>()
  readonly #listeners = new Set<(podUid: string) => void>()
  #count = 0
  /** What was done, one word each: `sandbox web`, `start web/a 0`, `stop web/a`. */
  readonly done: string[] = []
  readonly configs = new Map<string, ContainerConfig>()
  /** Called for every start; throw to make it fail. Return an exit code to end at once. */
  onStart: (config: ContainerConfig) => number | undefined | Promise<number | undefined> = () =>
    undefined
  onSandbox: (pod: Pod) => void | Promise<void> = () => {}
  onExec: (container: ContainerSeen, command: readonly string[]) => ExecAnswer = () => ({
    exitCode: 0,
  })
  /** A container that does not listen to its stop signal is killed at the end of its grace. */
  ignoresStop: (container: ContainerSeen) => boolean = () => false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async version(): Promise<string> {
    return 'containerd://1.6.20'
  }

  async observeAll(): Promise<ReadonlyMap<string, PodSeen>> {
    return new Map([...this.#pods].map(([uid, pod]) => [uid, copy(pod)]))
  }

  async observe(podUid: string): Promise<PodSeen> {
    return copy(this.#pods.get(podUid) ?? { sandbox: undefined, containers: [] })
  }

  onChange(changed: (podUid: string) => void): () => void {
    this.#listeners.add(changed)
    return () => this.#listeners.delete(changed)
  }

  async createSandbox(pod: Pod): Promise<SandboxSeen> {
    await this.onSandbox(pod)
    const uid = pod.metadata.uid!
    const present = this.#pods.get(uid)?.sandbox
    if (present?.state === 'ready') return present
    this.done.push(`sandbox ${pod.metadata.name}`)
    this.#count += 1
    const ips = pod.spec.hostNetwork ? [] : [`10.42.0.${this.#count}`]
    const sandbox: SandboxSeen = {
      podUid: uid,
      state: 'ready',
      ips,
      createdAtMs: this.#clock.nowMs(),
    }
    this.#of(uid).sandbox = sandbox
    return sandbox
  }

  async removeSandbox(podUid: string): Promise<void> {
    this.done.push('remove sandbox')
    this.#pods.delete(podUid)
  }

  async startContainer(config: ContainerConfig): Promise<ContainerSeen> {
    const { pod, container, kind, attempt, image } = config
    const exitCode = await this.onStart(config)
    this.done.push(`start ${pod.metadata.name}/${container.name} ${attempt}`)
    this.#count += 1
    const nowMs = this.#clock.nowMs()
    const seen: Mutable<ContainerSeen> = {
      id: `c${this.#count}`,
      podUid: pod.metadata.uid!,
      name: container.name,
      kind,
      attempt,
      state: 'running',
      createdAtMs: nowMs,
      startedAtMs: nowMs,
      exitedAtMs: undefined,
      exitCode: undefined,
      signal: undefined,
      oomKilled: false,
      image: container.image ?? '',
      imageId: image.id,
      failure: undefined,
    }
    this.#of(pod.metadata.uid!).containers.push(seen)
    this.configs.set(seen.id, config)
    if (exitCode !== undefined) this.#end(seen, exitCode)
    return { ...seen }
  }

  async stopContainer(id: string, graceSeconds: number, signal: AbortSignal): Promise<void> {
    const seen = this.#container(id)
    if (seen === undefined || seen.state === 'exited') return
    this.done.push(`stop ${seen.name} ${graceSeconds}`)
    if (this.ignoresStop(seen)) await this.#clock.sleep(graceSeconds * 1000, signal)
    this.#end(seen, this.ignoresStop(seen) ? 137 : 0)
  }

  async removeContainer(id: string): Promise<void> {
    for (const pod of this.#pods.values()) {
      pod.containers = pod.containers.filter((container) => container.id !== id)
    }
    this.done.push(`remove ${id}`)
  }

  async exec(id: string, options: ExecOptions, signal: AbortSignal): Promise<ExecSession> {
    const seen = this.#container(id)
    if (seen?.state !== 'running') throw new Error('container is not running')
    const { exitCode, output = '' } = this.onExec(seen, options.command)
    const ended = Promise.withResolvers<number>()
    // A negative code stands for a command that never ends.
    if (exitCode >= 0) ended.resolve(exitCode)
    const close = () => ended.resolve(137)
    signal.addEventListener('abort', close, { once: true })
    return {
      stdout: streamOf(output, ended.promise),
      stderr: streamOf('', ended.promise),
      write: async () => {},
      endInput: async () => {},
      resize: () => {},
      exitCode: ended.promise,
      close,
    }
  }

  attach(): Promise<ExecSession> {
    throw new ContainerError('Unsupported', 'a fake container has no streams to join')
  }

  dialPort(): Promise<never> {
    throw new ContainerError('Unsupported', 'a fake pod has no ports')
  }

  async usage() {
    return { cpuNanos: 0, memoryBytes: 0 }
  }

  /** Ends a container from outside, as a crash or `kill -9` does. */
  crash(podUid: string, name: string, exitCode = 1): void {
    const seen = this.#of(podUid).containers.findLast((one) => one.name === name)
    if (seen === undefined) throw new Error(`no container ${name}`)
    this.#end(seen, exitCode)
    this.#changed(podUid)
  }

  /** As after a reboot: nothing runs, and the sandbox is of no more use. */
  reboot(): void {
    for (const pod of this.#pods.values()) {
      if (pod.sandbox) pod.sandbox = { ...pod.sandbox, state: 'broken' }
      for (const seen of pod.containers) if (seen.state === 'running') this.#end(seen, 255)
    }
  }

  containersOf(podUid: string): readonly ContainerSeen[] {
    return this.#pods.get(podUid)?.containers ?? []
  }

  get podUids(): string[] {
    return [...this.#pods.keys()]
  }

  #of(podUid: string): FakePod {
    const pod = this.#pods.get(podUid) ?? { sandbox: undefined, containers: [] }
    this.#pods.set(podUid, pod)
    return pod
  }

  #container(id: string): Mutable<ContainerSeen> | undefined {
    return [...this.#pods.values()].flatMap((pod) => pod.containers).find((one) => one.id === id)
  }

  #end(seen: Mutable<ContainerSeen>, exitCode: number): void {
    seen.state = 'exited'
    seen.exitCode = exitCode
    seen.exitedAtMs = this.#clock.nowMs()
    this.#changed(seen.podUid)
  }

  #changed(podUid: string): void {
    for (const listener of this.#listeners) listener(podUid)
  }
}

/** Every image is there, but for those that a test takes away. */
export class FakeImages implements ImageStore {
  readonly pulls: { image: string; credentials: number }[] = []
  isHere: (image: string) => boolean = () => true
  /** Throw to make a pull fail. */
  onPull: (image: string) => void | Promise<void> = () => {}

  async find(image: string): Promise<ImageSeen | undefined> {
    return this.isHere(image) ? seenImage(image) : undefined
  }

  async pull(image: string, credentials: readonly unknown[]): Promise<ImageSeen> {
    this.pulls.push({ image, credentials: credentials.length })
    await this.onPull(image)
    return seenImage(image)
  }

  async list(): Promise<readonly ImageSeen[]> {
    return []
  }

  async remove(): Promise<void> {}

  async import(): Promise<readonly string[]> {
    return []
  }
}

function seenImage(name: string): ImageSeen {
  const id = `${name.replace(/:[^:/]*$/, '')}@sha256:${'a'.repeat(64)}`
  return {
    id,
    name,
    repoTags: [name],
    repoDigests: [id],
    sizeBytes: 1000,
    config: {
      user: '',
      env: [],
      entrypoint: [],
      cmd: ['/bin/sh'],
      workingDir: '/',
      stopSignal: '',
      volumes: [],
    },
  }
}

function copy(pod: FakePod): PodSeen {
  return { sandbox: pod.sandbox, containers: pod.containers.map((one) => ({ ...one })) }
}

function streamOf(text: string, until: Promise<unknown>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async start(controller) {
      if (text !== '') controller.enqueue(new TextEncoder().encode(text))
      await until
      controller.close()
    },
  })
}
