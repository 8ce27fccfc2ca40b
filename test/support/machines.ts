// Several machines on one: each a network namespace on a shared bridge, with its own data, its own
// containerd and its own kedge. Everything is made under one temporary folder and taken away again.

import { closeSync, openSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export const KEDGE = join(import.meta.dir, '../../dist/kedge')

/** Why the tests of this folder cannot run here; undefined when they can. */
export function cannotRun(): string | undefined {
  if (process.getuid?.() !== 0) return 'root is needed'
  const missing = ['containerd', 'runc', 'nft', 'ip'].filter((name) => !Bun.which(name))
  if (missing.length > 0) return `not installed: ${missing.join(', ')}`
  const isKubectlThere = kubectlPrograms().length > 0
  return isKubectlThere ? undefined : `not installed: kubectl 1.${KUBECTL_MINOR_MIN} or newer`
}

export type Ran = { code: number; stdout: string; stderr: string }

export async function run(
  argv: string[],
  options: { stdin?: string; env?: object } = {},
): Promise<Ran> {
  const child = Bun.spawn(argv, {
    stdin: options.stdin === undefined ? 'ignore' : new TextEncoder().encode(options.stdin),
    stdout: 'pipe',
    stderr: 'pipe',
    env: { ...process.env, ...options.env },
  })
  const [stdout, stderr, code] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ])
  return { code, stdout, stderr }
}

export async function ok(
  argv: string[],
  options: { stdin?: string; env?: object } = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(argv, options)
  if (code !== 0) throw new Error(`${argv.join(' ')}: exit code ${code}: ${stderr || stdout}`)
  return stdout
}

/** Looks again until `check` gives something other than undefined or false. */
export async function until<T>(
  what: string,
  check: () => Promise<T | undefined | false>,
  limitMs = 60_000,
): Promise<T> {
  const end = Date.now() + limitMs
  let last: unknown
  for (;;) {
    try {
      const value = await check()
      if (value !== undefined && value !== false) return value as T
    } catch (error) {
      last = error
    }
    if (Date.now() > end) throw new Error(`waited ${limitMs} ms for ${what}`, { cause: last })
    await Bun.sleep(100)
  }
}

/** How many labs one machine has room for. */
const LABS_MAX = 250

/**
 * A bridge with machines on it. `await using lab = await createLab()` takes it all away. Names and
 * addresses are no other lab's of this machine, whoever runs it.
 */
export async function createLab() {
  const folder = await mkdtemp(join(tmpdir(), 'kedge-e2e-'))
  const { prefix, subnet, bridge } = await claimNetwork()
  const machines: Machine[] = []
  await ok(['ip', 'addr', 'add', `${subnet}.1/24`, 'dev', bridge])
  await ok(['ip', 'link', 'set', bridge, 'up'])
  return {
    folder,
    gateway: `${subnet}.1`,
    async addMachine(name: string): Promise<Machine> {
      const ip = `${subnet}.${11 + machines.length}`
      const machine = new Machine({ name, ip, prefix, folder: join(folder, name), bridge })
      machines.push(machine)
      await machine.plugIn(`${subnet}.1`)
      return machine
    },
    async [Symbol.asyncDispose]() {
      // One that cannot be removed whole must not keep the others.
      const removals = machines.toReversed().map((machine) => machine.remove())
      const failures = (await Promise.allSettled(removals)).filter(isFailure)
      await run(['ip', 'link', 'del', bridge])
      await rm(folder, { recursive: true, force: true })
      if (failures.length > 0) throw new AggregateError(failures.map(({ reason }) => reason))
    },
  }
}

/** The kernel gives each name once: who could make the bridge has what goes with it. */
async function claimNetwork() {
  const first = crypto.getRandomValues(new Uint8Array(1))[0]!
  for (let i = 0; i < LABS_MAX; i++) {
    const number = 1 + ((first + i) % LABS_MAX)
    const bridge = `kt${number}-br`
    const { code } = await run(['ip', 'link', 'add', bridge, 'type', 'bridge'])
    if (code === 0) return { prefix: `kt${number}`, subnet: `10.89.${number}`, bridge }
  }
  throw new Error('no network is free: take away bridges of runs that are over, ip link del kt1-br')
}

function isFailure(result: PromiseSettledResult<void>): result is PromiseRejectedResult {
  return result.status === 'rejected'
}

export type Lab = Awaited<ReturnType<typeof createLab>>
type MachineOptions = { name: string; ip: string; prefix: string; folder: string; bridge: string }

export class Machine {
  readonly name: string
  readonly ip: string
  readonly namespace: string
  readonly folder: string
  readonly dataDir: string
  readonly runDir: string
  readonly #bridge: string
  readonly #link: string
  #process: Bun.Subprocess | undefined
  #argv: string[] = []

  constructor({ name, ip, prefix, folder, bridge }: MachineOptions) {
    this.name = name
    this.ip = ip
    this.namespace = `${prefix}-${name}`
    this.folder = folder
    this.dataDir = join(folder, 'data')
    this.runDir = join(folder, 'run')
    this.#bridge = bridge
    this.#link = `${prefix}-${name}`
  }

  get logPath(): string {
    return join(this.folder, 'kedge.log')
  }

  /** As kedge writes it, for use on the machine itself. */
  get kubeconfig(): string {
    return join(this.folder, 'kubeconfig.yaml')
  }

  /** Waits for the kubeconfig and returns a copy that works from elsewhere. */
  async adminKubeconfig(): Promise<string> {
    const text = await until('the kubeconfig', () =>
      readFile(this.kubeconfig, 'utf8').catch(() => undefined),
    )
    const path = join(this.folder, 'admin.yaml')
    await writeFile(path, text.replace('127.0.0.1', this.ip))
    return path
  }

  get pid(): number | undefined {
    return this.#process?.exitCode === null ? this.#process.pid : undefined
  }

  async plugIn(gateway: string): Promise<void> {
    const { namespace } = this
    await run(['ip', 'link', 'del', this.#link])
    await run(['ip', 'netns', 'del', namespace])
    await ok(['ip', 'netns', 'add', namespace])
    const peer = ['peer', 'name', 'eth0', 'netns', namespace]
    await ok(['ip', 'link', 'add', this.#link, 'type', 'veth', ...peer])
    await ok(['ip', 'link', 'set', this.#link, 'master', this.#bridge, 'up'])
    await ok(['ip', '-n', namespace, 'addr', 'add', `${this.ip}/24`, 'dev', 'eth0'])
    for (const device of ['eth0', 'lo'])
      await ok(['ip', '-n', namespace, 'link', 'set', device, 'up'])
    await ok(['ip', '-n', namespace, 'route', 'add', 'default', 'via', gateway])
    await ok(['mkdir', '-p', this.folder])
  }

  /** Runs a command on this machine. */
  on(argv: string[]): string[] {
    // Not `ip netns exec`: it mounts a fresh /sys, in which there are no cgroups.
    return ['nsenter', `--net=/run/netns/${this.namespace}`, ...argv]
  }

  /** Drops every connection that others begin, but for answers and what pods and Services use. */
  async closeInboundPorts(): Promise<void> {
    const rules = [
      'table inet closed {',
      '  chain input {',
      '    type filter hook input priority 10; policy accept;',
      '    iifname "eth0" tcp flags & (syn|ack) == syn tcp dport != 30000-32767 drop',
      '  }',
      '}',
    ]
    await ok(this.on(['nft', '-f', '-']), { stdin: rules.join('\n') })
  }

  serverArgv(more: string[] = []): string[] {
    return ['server', '--write-kubeconfig', this.kubeconfig, ...this.#common(), ...more]
  }

  agentArgv(server: string, token: string, more: string[] = []): string[] {
    return ['agent', '--server', server, '--token', token, ...this.#common(), ...more]
  }

  #common(): string[] {
    return [
      ...['--node-name', this.name, '--node-ip', this.ip],
      ...['--data-dir', this.dataDir, '--run-dir', this.runDir],
      ...['--pod-log-dir', join(this.folder, 'logs'), '--log-level', 'debug'],
    ]
  }

  /** Starts kedge in the background; output goes to `logPath`. */
  start(argv: string[]): void {
    this.#argv = argv
    // A file descriptor for each start, so that one log holds all of them.
    const fd = openSync(this.logPath, 'a')
    this.#process = Bun.spawn(this.on([KEDGE, ...argv]), {
      stdin: 'ignore',
      stdout: fd,
      stderr: fd,
      env: { ...process.env, KEDGE_CONFIG: '' },
    })
    closeSync(fd)
  }

  /** Starts kedge as a further node of the cluster of `server`. */
  async join(server: Machine, kubeconfig: string, more: readonly string[] = []): Promise<void> {
    const token = await ok([KEDGE, 'token', 'create', '--kubeconfig', kubeconfig])
    this.start(this.agentArgv(`https://${server.ip}:6443`, token.trim(), [...more]))
  }

  /** Returns what kedge prints. */
  importImages(tar: string): Promise<string> {
    return ok(this.on([KEDGE, 'images', 'import', '--run-dir', this.runDir, tar]))
  }

  startAgain(): void {
    this.start(this.#argv)
  }

  async signal(name: NodeJS.Signals): Promise<void> {
    const process = this.#process
    if (process === undefined || process.exitCode !== null) return
    process.kill(name)
    await process.exited
  }

  async log(): Promise<string> {
    return readFile(this.logPath, 'utf8').catch(() => '')
  }

  /** ctr, talking to the containerd that kedge started here. */
  ctr(args: string[]): string[] {
    const socket = join(this.runDir, 'containerd/containerd.sock')
    return ['ctr', '--address', socket, '--namespace', 'kedge', ...args]
  }

  /** Ends everything of this machine: kedge, its containers, its containerd, its mounts. */
  async remove(): Promise<void> {
    await this.signal('SIGKILL')
    const pods = await readdir(join(this.dataDir, 'agent/pods')).catch(() => [])
    const groups = await cgroupsOf(pods)
    for (let round = 0; round < 20; round++) {
      const pids = [...(await this.#pids()), ...(await pidsIn(groups))]
      if (pids.length === 0) break
      for (const pid of pids) tryKill(pid)
      await Bun.sleep(50)
    }
    const mounts = await readFile('/proc/self/mountinfo', 'utf8')
    const ours = mounts
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '')
      .filter((path) => path.startsWith(`${this.folder}/`))
    for (const path of ours.toReversed()) await run(['umount', '-l', path])
    await run(['ip', 'link', 'del', this.#link])
    await run(['ip', 'netns', 'del', this.namespace])
    for (const path of groups) await rmdir(path).catch(ignoreGone)
  }

  /** Processes that hold this machine's folder in their command line, or live in its network. */
  async #pids(): Promise<number[]> {
    const { stdout } = await run(['ip', 'netns', 'pids', this.namespace])
    const inside = stdout.split('\n').filter(Boolean).map(Number)
    const named = (await run(['pgrep', '-f', `${this.folder}/`])).stdout
    return [...new Set([...inside, ...named.split('\n').filter(Boolean).map(Number)])].filter(
      (pid) => pid !== process.pid,
    )
  }
}

/** The control groups of pods and what is in them, in every hierarchy, the innermost first. */
async function cgroupsOf(podUids: readonly string[]): Promise<string[]> {
  const { stdout } = await run(['find', '/sys/fs/cgroup', '-depth', '-type', 'd'])
  return stdout.split('\n').filter((path) => podUids.some((uid) => path.includes(`/pod${uid}`)))
}

async function pidsIn(cgroups: readonly string[]): Promise<number[]> {
  const lists = await Promise.all(
    cgroups.map((path) => readFile(join(path, 'cgroup.procs'), 'utf8').catch(ignoreGone)),
  )
  return [...new Set(lists.flatMap((list) => (list ?? '').split('\n').filter(Boolean).map(Number)))]
}

/** What runs a container removes its group when it ends, also while we look. */
function ignoreGone(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENODEV') throw error
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself in between.
  }
}

/** Built by test/kubectl/build. */
const KUBECTL_BUILT = join(import.meta.dir, '../../.build/kubectl-1.36/kubectl')
/** The oldest that is promised to work. */
const KUBECTL_MINOR_MIN = 27

/**
 * Every kubectl there is for tests, the usual one first: of PATH, where it is not too old, the one
 * we build, and those that KEDGE_TEST_KUBECTL names, separated by colons.
 */
export function kubectlPrograms(): { program: string; version: string }[] {
  const more = process.env.KEDGE_TEST_KUBECTL?.split(':').filter(Boolean) ?? []
  return ['kubectl', KUBECTL_BUILT, ...more].flatMap((name) => {
    const program = Bun.which(name)
    if (program === null) return []
    const { stdout } = Bun.spawnSync([program, 'version', '--client', '-o', 'json'])
    const { major, minor } = JSON.parse(stdout.toString()).clientVersion
    if (Number.parseInt(minor, 10) < KUBECTL_MINOR_MIN) return []
    return [{ program, version: `${major}.${Number.parseInt(minor, 10)}` }]
  })
}

/** What tests use that do not choose. */
export const KUBECTL = kubectlPrograms()[0]?.program ?? 'kubectl'

export type Kubectl = ReturnType<typeof kubectlOf>
export type KubectlOptions = { program?: string; namespace?: string }

/** kubectl with a kubeconfig. `kubectl(['get', 'pods'])` throws when it fails. */
export function kubectlOf(kubeconfig: string, options: KubectlOptions = {}) {
  const { program = KUBECTL, namespace = 'default' } = options
  // What another cluster at this address served must not be believed.
  const cache = join(dirname(kubeconfig), 'kubectl-cache')
  const where = ['--kubeconfig', kubeconfig, '--cache-dir', cache, '--namespace', namespace]
  const argvOf = (args: string[]) => [program, ...where, ...args]
  const withInput = (stdin: string | undefined) => (stdin === undefined ? {} : { stdin })
  const kubectl = (args: string[], stdin?: string) => ok(argvOf(args), withInput(stdin))
  return Object.assign(kubectl, {
    argv: argvOf,
    namespace,
    try: (args: string[], stdin?: string) => run(argvOf(args), withInput(stdin)),
    json: async (args: string[]) => JSON.parse(await kubectl([...args, '-o', 'json'])),
    /** The same, with another program or namespace. */
    with: (more: KubectlOptions): Kubectl => kubectlOf(kubeconfig, { ...options, ...more }),
  })
}
