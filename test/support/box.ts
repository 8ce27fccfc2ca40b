// Machines inside this one that things are installed on, and what is seen of them from within.

import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { ok, type Ran, run, until } from './machines.ts'

const CHECKOUT = join(import.meta.dir, '../..')

/** Enters the cgroups of a box, then everything else of it. */
const ENTER = [
  'for group in /sys/fs/cgroup/$0 /sys/fs/cgroup/*/$0; do',
  '[ ! -f "$group/cgroup.procs" ] || echo $$ >"$group/cgroup.procs"; done;',
  'target=$1; shift; exec nsenter --all --wd="$PWD" --target "$target" "$@"',
].join(' ')

export class Box implements AsyncDisposable {
  readonly name: string
  readonly folder: string
  readonly #process: Bun.Subprocess

  private constructor(name: string, folder: string, process: Bun.Subprocess) {
    this.name = name
    this.folder = folder
    this.#process = process
  }

  /** `address` with its prefix, such as 10.89.8.2/24. */
  static async create(name: string, address: string): Promise<Box> {
    const folder = await mkdtemp(join(tmpdir(), 'kedge-box-'))
    const script = join(import.meta.dir, 'box.sh')
    const child = Bun.spawn(['sh', script, folder, name, address], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const box = new Box(name, folder, child)
    try {
      await until(`box ${name}`, async () => {
        if (child.exitCode !== null) throw new Error(`${script} ended with ${child.exitCode}`)
        return existsSync(join(folder, 'ready'))
      })
      return box
    } catch (error) {
      await box[Symbol.asyncDispose]()
      throw error
    }
  }

  /** The first process of the box, as this machine counts. */
  get pid(): number {
    const { pid } = this.#process
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim())
  }

  /** Runs a command in the box, in the checkout. */
  run(argv: string[], options: { stdin?: string; env?: Record<string, string> } = {}) {
    return run(this.argv(argv, options.env), options)
  }

  ok(argv: string[], options: { stdin?: string; env?: Record<string, string> } = {}) {
    return ok(this.argv(argv, options.env), options)
  }

  /** Goes on until it is killed, or the box is taken away. */
  start(argv: string[]): Bun.Subprocess {
    return Bun.spawn(this.argv(argv), { stdio: ['ignore', 'ignore', 'inherit'] })
  }

  shell(script: string): Promise<string> {
    return this.ok(['sh', '-euc', script])
  }

  /** What runs a command in the box, from here. */
  argv(argv: string[], env: Record<string, string> = {}): string[] {
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`)
    const inside = ['env', '--chdir', CHECKOUT, ...variables, ...argv]
    return ['sh', '-c', ENTER, basename(this.folder), String(this.pid), ...inside]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#process.exited
    for (const root of ['/sys/fs/cgroup', '/sys/fs/cgroup/*']) {
      const script = `find ${root}/"$0" -depth -type d -exec rmdir {} +`
      // The last processes may still be on their way out.
      for (let round = 0; round < 20; round++) {
        const group = basename(this.folder)
        const { code }: Ran = await run(['sh', '-c', script, group])
        const left = await run(['sh', '-c', `ls -d ${root}/"$0"`, group])
        if (code === 0 || left.code !== 0) break
        await Bun.sleep(50)
      }
    }
    await rm(this.folder, { recursive: true, force: true })
  }
}

/**
 * A folder of links to every program that is in PATH here, but for those `without`: with it as its
 * whole PATH, a script finds what a test says it finds.
 */
export function linkPrograms(folder: string, without: readonly string[]): string {
  mkdirSync(folder, { recursive: true })
  const skipped = new Set(without)
  for (const place of (process.env.PATH ?? '').split(':').filter((path) => existsSync(path))) {
    for (const name of readdirSync(place)) {
      if (skipped.has(name)) continue
      symlinkSync(join(place, name), join(folder, name))
      skipped.add(name)
    }
  }
  return folder
}

/** A cable between two boxes. */
export async function plugTogether(a: Box, b: Box): Promise<void> {
  const ends = [`c-${a.name}`, `c-${b.name}`] as const
  const peer = ['peer', 'name', ends[1], 'netns', String(b.pid)]
  await ok(['ip', 'link', 'add', ends[0], 'netns', String(a.pid), 'type', 'veth', ...peer])
  await a.ok(['ip', 'link', 'set', ends[0], 'master', 'eth0', 'up'])
  await b.ok(['ip', 'link', 'set', ends[1], 'master', 'eth0', 'up'])
}

const SEEN = {
  // What other tests have mounted comes and goes with them.
  mounts: `awk '$5 !~ "^/tmp/" { print $5 }' /proc/self/mountinfo`,
  interfaces: `ip -o link | cut -d ' ' -f 2; ip -o -4 addr | sed 's/.*inet/inet/'`,
  routes: 'ip -4 route show table all; ip neigh show nud permanent',
  rules: 'nft list ruleset',
  // Of the kernel, as far as a network namespace has its own.
  settings:
    'grep -rH . /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf --include=forwarding ' +
    '--include=route_localnet --include=rp_filter; grep -H . /proc/sys/net/ipv4/ip_forward',
  namespaces: 'ip netns list',
  cgroups: 'find /sys/fs/cgroup -mindepth 1 -type d',
  users: 'cat /etc/passwd /etc/group',
  state:
    'find /var/lib /var/log /run -path /var/lib/dpkg -prune -o -path /run/mount -prune -o ' +
    "-type d -printf '%M %u %p\\n' -o -printf '%M %u %s %p\\n'",
} as const

export type Snapshot = Record<keyof typeof SEEN | 'processes' | 'files', string[]>

/** Everything that installing something could leave behind, as sorted lines. */
export async function snapshotOf(box: Box): Promise<Snapshot> {
  const entries = Object.entries(SEEN).map(async ([what, script]) => {
    const text = await box.shell(`{ ${script}; } | sort`)
    return [what, linesOf(text)] as const
  })
  const seen = Object.fromEntries(await Promise.all(entries))
  const isOwn = (line: string) => !line.startsWith('ps -eo') && !line.endsWith('<defunct>')
  const processes = linesOf(await box.ok(['ps', '-eo', 'args='])).filter(isOwn)
  return { ...seen, processes: processes.sort(), files: await filesOf(box) } as Snapshot
}

/** What the box has written, or taken away, over the files of this machine. */
async function filesOf({ folder }: Box): Promise<string[]> {
  const files: string[] = []
  for (const place of ['etc', 'usr/local']) {
    const upper = join(folder, place, 'upper')
    const text = await ok(['find', upper, '-mindepth', '1', '-printf', '%y %m %u %s %P\\n'])
    for (const line of linesOf(text)) {
      const [type, mode, user, size, ...path] = line.split(' ')
      const name = join('/', place, path.join(' '))
      // A folder that was there is only in the way to a file; its size says nothing.
      if (type === 'd' && existsSync(name)) continue
      files.push([type, mode, user, type === 'd' ? '' : size, name].join(' '))
    }
  }
  return files.sort()
}

function linesOf(text: string): string[] {
  return text.split('\n').filter(Boolean)
}
