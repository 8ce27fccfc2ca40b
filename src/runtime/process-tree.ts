// Ends a command in a container together with everything that it has started.
//
// A child that outlives its parent is handed to the container's first process, so the line of
// descent alone loses it; its session does not change. Only processes in the container's own cgroup
// are ever looked at: whatever numbers are used again, nothing else can be hit.

import { readdir, readlink } from 'node:fs/promises'
import type { Clock } from '../lib/clock.ts'
import { readFileIfAny } from '../lib/files.ts'
import { type CgroupHost, processesIn } from './cgroups/pod-cgroup.ts'

export type ProcessSeen = {
  readonly pid: number
  readonly parentPid: number
  /** Number of the process that began its session. */
  readonly sessionId: number
}

export type Place = {
  readonly cgroups: CgroupHost
  /** Of the container. */
  readonly cgroupPath: string
  readonly clock: Clock
}

/** What forks while it is being killed is found by another look. */
const ROUNDS_MAX = 20
const ROUND_MS = 10

/** Resolves when nothing of it is left, or when what is left cannot be killed. */
export async function killTree(place: Place, rootPid: number): Promise<void> {
  const known = new Set([rootPid])
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const pids = await processesIn(place.cgroups, place.cgroupPath)
    const seen = (await Promise.all(pids.map(seenProcess))).filter((one) => one !== undefined)
    const victims = treeOf(seen, known)
    if (victims.length === 0) return
    for (const pid of victims) {
      known.add(pid)
      killQuietly(pid)
    }
    await place.clock.sleep(ROUND_MS, NEVER)
  }
}

/** Those that are in `roots`, in one of their sessions, or descend from these. Pure. */
export function treeOf(processes: readonly ProcessSeen[], roots: ReadonlySet<number>): number[] {
  const children = Map.groupBy(processes, ({ parentPid }) => parentPid)
  const found = new Set<number>()
  const open = processes.filter(({ pid, sessionId }) => roots.has(pid) || roots.has(sessionId))
  // What was known and has ended may have left children that are not handed on yet.
  for (const root of roots) open.push(...(children.get(root) ?? []))
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    if (found.has(one.pid)) continue
    found.add(one.pid)
    open.push(...(children.get(one.pid) ?? []))
  }
  return [...found]
}

/** Of /proc/PID/stat: the name, in brackets, may itself hold anything. Pure. */
export function parseStat(pid: number, text: string): ProcessSeen | undefined {
  const [state, parentPid, , sessionId] = text.slice(text.lastIndexOf(')') + 2).split(' ')
  // A zombie holds nothing open and waits for its parent alone.
  if (state === undefined || state === 'Z' || sessionId === undefined) return undefined
  return { pid, parentPid: Number(parentPid), sessionId: Number(sessionId) }
}

/** True while `pid` runs and is the process that began its session, as every command is. */
export async function leadsSession(pid: number): Promise<boolean> {
  return (await seenProcess(pid))?.sessionId === pid
}

/** Processes of the container that can write to what `readerPid`, outside of it, reads. */
export async function holdersOf(place: Place, readerPid: number): Promise<number[]> {
  const pipes = await pipesOf(readerPid)
  const pids = await processesIn(place.cgroups, place.cgroupPath)
  const found = await Promise.all(
    pids.map(async (pid) => ((await pipesOf(pid)).isDisjointFrom(pipes) ? [] : [pid])),
  )
  return found.flat()
}

async function pipesOf(pid: number): Promise<Set<string>> {
  const folder = `/proc/${pid}/fd`
  // Whatever ends while it is looked at holds nothing.
  const names = await readdir(folder).catch(() => [])
  const targets = await Promise.all(
    names.map((name) => readlink(`${folder}/${name}`).catch(() => '')),
  )
  return new Set(targets.filter((target) => target.startsWith('pipe:')))
}

async function seenProcess(pid: number): Promise<ProcessSeen | undefined> {
  // ESRCH where it ends while it is read.
  const text = await readFileIfAny(`/proc/${pid}/stat`).catch(() => undefined)
  return text === undefined ? undefined : parseStat(pid, text)
}

export function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // ESRCH: it has just ended by itself.
  }
}

const NEVER = new AbortController().signal
