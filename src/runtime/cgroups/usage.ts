// CPU and memory of a container from its cgroup.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CgroupHost } from './pod-cgroup.ts'

export type Usage = { cpuNanos: number; memoryBytes: number }

/** Memory is the working set: what the kernel could not take back at once. Throws when gone. */
export async function readUsage(host: CgroupHost, cgroupPath: string): Promise<Usage> {
  const isUnified = host.version === 2
  const cpuDir = join(host.root, isUnified ? '' : 'cpuacct', cgroupPath)
  const memoryDir = join(host.root, isUnified ? '' : 'memory', cgroupPath)
  const [cpu, used, stat] = await Promise.all([
    readFile(join(cpuDir, isUnified ? 'cpu.stat' : 'cpuacct.usage'), 'utf8'),
    readFile(join(memoryDir, isUnified ? 'memory.current' : 'memory.usage_in_bytes'), 'utf8'),
    readFile(join(memoryDir, 'memory.stat'), 'utf8'),
  ])
  const idle = field(stat, isUnified ? 'inactive_file' : 'total_inactive_file')
  return {
    cpuNanos: isUnified ? field(cpu, 'usage_usec') * 1000 : Number(cpu),
    memoryBytes: Math.max(Number(used) - idle, 0),
  }
}

/** How often the kernel killed for want of memory; 0 when the cgroup is gone or does not count. */
export async function readOomKills(host: CgroupHost, cgroupPath: string): Promise<number> {
  const file =
    host.version === 2
      ? join(host.root, cgroupPath, 'memory.events')
      : join(host.root, 'memory', cgroupPath, 'memory.oom_control')
  const text = await readFile(file, 'utf8').catch(() => '') // Gone, or no memory controller.
  return field(text, 'oom_kill')
}

function field(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
}
