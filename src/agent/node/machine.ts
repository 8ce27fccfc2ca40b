// What the machine is: read once at the start, but for memory and disk, which are looked at again.

import { readdir, statfs } from 'node:fs/promises'
import { arch, cpus, release } from 'node:os'
import { join } from 'node:path'
import { readFileIfAny } from '../../lib/files.ts'

export type MachineFacts = {
  readonly architecture: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly kernelVersion: string
  readonly osImage: string
  readonly machineId: string
  readonly systemUuid: string
  readonly bootId: string
  /** Sizes of huge pages that the kernel offers, as resource names: hugepages-2Mi. */
  readonly hugePages: readonly string[]
  /** The kernel can limit the memory of pods. */
  readonly hasMemoryCgroup: boolean
}

export type MachineLoad = {
  readonly memoryAvailableBytes: number
  readonly diskBytes: number
  readonly diskAvailableBytes: number
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' }

export async function readMachine(): Promise<MachineFacts> {
  const text = async (path: string) => ((await readFileIfAny(path)) ?? '').trim()
  const machineId = await text('/etc/machine-id')
  // Root alone may read it; where there is no firmware to ask, the machine id has to serve.
  const systemUuid = await text('/sys/class/dmi/id/product_uuid').catch(() => '')
  return {
    architecture: ARCHITECTURES[arch()] ?? arch(),
    cpus: cpus().length,
    memoryBytes: memoryField(await text('/proc/meminfo'), 'MemTotal'),
    kernelVersion: release(),
    osImage: prettyName(await text('/etc/os-release')),
    machineId,
    systemUuid: systemUuid || machineId,
    bootId: await text('/proc/sys/kernel/random/boot_id'),
    hugePages: await hugePages(),
    hasMemoryCgroup: await hasMemoryCgroup('/sys/fs/cgroup'),
  }
}

/** Of either version; `root` is where cgroups are mounted. */
export async function hasMemoryCgroup(root: string): Promise<boolean> {
  const offered = await readFileIfAny(join(root, 'cgroup.controllers'))
  if (offered !== undefined) return offered.trim().split(' ').includes('memory')
  return (await readFileIfAny(join(root, 'memory/memory.stat'))) !== undefined
}

/** Why memory cannot be limited here, and how to mend it; undefined where it can. */
export function memoryProblemOf({ hasMemoryCgroup }: MachineFacts): string | undefined {
  if (hasMemoryCgroup) return undefined
  const words = 'cgroup_enable=memory cgroup_memory=1'
  return (
    `the kernel of this node has no memory cgroup; add "${words}" to the kernel command line` +
    ' (/boot/firmware/cmdline.txt on Raspberry Pi OS) and restart the machine'
  )
}

/** `folder` lies on the disk that pods write to. */
export async function readLoad(folder: string): Promise<MachineLoad> {
  const meminfo = (await readFileIfAny('/proc/meminfo')) ?? ''
  const disk = await statfs(folder)
  return {
    memoryAvailableBytes: memoryField(meminfo, 'MemAvailable'),
    diskBytes: disk.blocks * disk.bsize,
    diskAvailableBytes: disk.bavail * disk.bsize,
  }
}

/** Bytes of one line of /proc/meminfo, which counts in KiB. Pure. */
export function memoryField(meminfo: string, field: string): number {
  return Number(new RegExp(`^${field}: +(\\d+) kB$`, 'm').exec(meminfo)?.[1] ?? 0) * 1024
}

/** PRETTY_NAME of /etc/os-release. Pure. */
export function prettyName(osRelease: string): string {
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? 'Linux'
}

async function hugePages(): Promise<string[]> {
  const names = await readdir('/sys/kernel/mm/hugepages').catch(() => [])
  return names.flatMap((name) => {
    const kib = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? 0)
    if (kib === 0) return []
    return [kib >= 1024 * 1024 ? `hugepages-${kib / 1024 / 1024}Gi` : `hugepages-${kib / 1024}Mi`]
  })
}
