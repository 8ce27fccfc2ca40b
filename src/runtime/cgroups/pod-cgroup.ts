// The cgroup around all containers of a pod: made before the first, removed after the last.
//
// runc makes the cgroups of containers below it, in every hierarchy it needs. Version 1 has one
// hierarchy per controller, version 2 a single one in which each parent must hand controllers down.

import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing } from '../../lib/files.ts'
import { type CgroupLimits, CPU_PERIOD_US } from '../spec/resources.ts'

export type CgroupHost = {
  readonly root: string
  readonly version: 1 | 2
  /** Version 1: the mounted hierarchies. Version 2: what the root offers. */
  readonly controllers: readonly string[]
}

/** One folder to make and the values to write into it, in order. */
export type CgroupStep = {
  readonly dir: string
  readonly values: readonly (readonly [file: string, value: string])[]
}

const HANDED_DOWN = ['cpu', 'memory', 'pids', 'cpuset', 'io', 'hugetlb']
const WEIGHT_MIN = 1
const WEIGHT_MAX = 10_000

/** What to make for `parent` (kubepods/burstable/pod<uid>), outermost first. Pure. */
export function planPodCgroup(
  host: CgroupHost,
  parent: string,
  limits: CgroupLimits,
): CgroupStep[] {
  const parts = parent.split('/').filter((part) => part !== '')
  const folders = parts.map((_, i) => parts.slice(0, i + 1).join('/'))
  return host.version === 2 ? planUnified(host, folders, limits) : planLegacy(host, folders, limits)
}

function planUnified(host: CgroupHost, folders: string[], limits: CgroupLimits): CgroupStep[] {
  const offered = HANDED_DOWN.filter((name) => host.controllers.includes(name))
  const handDown = offered.map((name) => ['cgroup.subtree_control', `+${name}`] as const)
  const all: [string, string][] = [
    ['cpu.weight', String(weightOf(limits.cpuShares))],
    ['cpu.max', `${limits.cpuQuota ?? 'max'} ${CPU_PERIOD_US}`],
    ['memory.max', String(limits.memoryLimitBytes ?? 'max')],
  ]
  // A kernel that lacks a controller has none of its files.
  const has = (file: string) => offered.includes(file.split('.')[0]!)
  const own = all.filter(([file]) => has(file))
  return [
    { dir: host.root, values: handDown },
    ...folders.map((folder, i) => ({
      dir: join(host.root, folder),
      values: [
        ...handDown,
        ...(i === folders.length - 1
          ? own
          : classValues(folder, 'cpu.weight').filter(([file]) => has(file))),
      ],
    })),
  ]
}

function planLegacy(host: CgroupHost, folders: string[], limits: CgroupLimits): CgroupStep[] {
  const values: Record<string, [string, string][]> = {
    cpu: [
      ['cpu.shares', String(limits.cpuShares)],
      ['cpu.cfs_period_us', String(CPU_PERIOD_US)],
      ['cpu.cfs_quota_us', String(limits.cpuQuota ?? -1)],
    ],
    memory: [['memory.limit_in_bytes', String(limits.memoryLimitBytes ?? -1)]],
    pids: [],
  }
  return Object.entries(values)
    .filter(([controller]) => host.controllers.includes(controller))
    .flatMap(([controller, own]) =>
      folders.map((folder, i) => ({
        dir: join(host.root, controller, folder),
        values:
          i === folders.length - 1
            ? own
            : controller === 'cpu'
              ? classValues(folder, 'cpu.shares')
              : [],
      })),
    )
}

/** All best-effort pods together get the least there is. */
function classValues(folder: string, file: string): [string, string][] {
  const least = file === 'cpu.weight' ? '1' : '2'
  return folder.endsWith('/besteffort') ? [[file, least]] : []
}

/** The kernel's range 1…10000 for shares of 2…262144 (the linear rule that runc 1.1 uses). */
export function weightOf(shares: number): number {
  const weight = 1 + Math.floor(((shares - 2) * 9999) / 262_142)
  return Math.min(Math.max(weight, WEIGHT_MIN), WEIGHT_MAX)
}

export async function readCgroupHost(root: string): Promise<CgroupHost> {
  const offered = await readFile(join(root, 'cgroup.controllers'), 'utf8').catch(noFile)
  if (offered !== undefined) {
    return { root, version: 2, controllers: offered.trim().split(/\s+/) }
  }
  return { root, version: 1, controllers: await readdir(root) }
}

export async function makeCgroup(steps: readonly CgroupStep[]): Promise<void> {
  for (const { dir, values } of steps) {
    await mkdir(dir, { recursive: true })
    for (const [file, value] of values) {
      await writeFile(join(dir, file), value).catch((cause) => {
        // Handing down a controller that a parent lacks fails; limits that matter are written
        // below.
        if (file === 'cgroup.subtree_control') return
        throw new Error(`write ${value} to ${join(dir, file)}`, { cause })
      })
    }
  }
}

/** Removes the pod's cgroup from every hierarchy, with what is left inside. */
export async function removeCgroup(host: CgroupHost, parent: string): Promise<void> {
  const roots =
    host.version === 2 ? [host.root] : host.controllers.map((one) => join(host.root, one))
  await Promise.all(roots.map((root) => removeTree(join(root, parent))))
}

async function removeTree(dir: string): Promise<void> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(noFile)
  if (entries === undefined) return
  for (const entry of entries) if (entry.isDirectory()) await removeTree(join(dir, entry.name))
  await rmdir(dir).catch(noFile)
}

/** Process ids in a pod's cgroup and below it. */
export async function processesIn(host: CgroupHost, parent: string): Promise<number[]> {
  // Version 1 has a process in every hierarchy; any that the kernel offers will do.
  const hierarchy = LEGACY_HIERARCHIES.find((name) => host.controllers.includes(name))
  const root = host.version === 2 ? host.root : join(host.root, hierarchy ?? '')
  return processesOf(join(root, parent))
}

const LEGACY_HIERARCHIES = ['pids', 'memory', 'cpu', 'freezer']

async function processesOf(dir: string): Promise<number[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(noFile)
  if (entries === undefined) return []
  const own = (await readFile(join(dir, 'cgroup.procs'), 'utf8').catch(noFile)) ?? ''
  const below = await Promise.all(
    entries
      .filter((entry) => entry.isDirectory())
      .map((entry) => processesOf(join(dir, entry.name))),
  )
  return [
    ...own
      .split('\n')
      .filter((pid) => pid !== '')
      .map(Number),
    ...below.flat(),
  ]
}

function noFile(error: unknown): undefined {
  if (isMissing(error)) return undefined
  throw error
}
