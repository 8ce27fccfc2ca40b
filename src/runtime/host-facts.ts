// What the runtime must know about this machine, read once at start.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseCapabilityMask } from './spec/capabilities.ts'
import type { HostFacts } from './spec/container-spec.ts'
import type { OciDevice } from './spec/oci.ts'

/** Folders of /dev that a container has of its own, and files that stand for something else. */
const SKIPPED_DEVICES = ['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev', 'console']

export function readHostFacts(cgroupRoot: string, arch: string): HostFacts {
  const status = readFileSync('/proc/self/status', 'utf8')
  const bounding = /^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'
  const oomScore = Number(readFileSync('/proc/self/oom_score_adj', 'utf8'))
  return {
    arch,
    cgroupVersion: existsSync(join(cgroupRoot, 'cgroup.controllers')) ? 2 : 1,
    capabilities: parseCapabilityMask(bounding),
    oomScoreAdj: oomScore,
    sensitivePaths: throttlePaths(),
    devices: () => hostDevices('/dev'),
  }
}

/** Readings that tell one container what its neighbours do. */
function throttlePaths(): string[] {
  const cpus = '/sys/devices/system/cpu'
  if (!existsSync(cpus)) return []
  return readdirSync(cpus)
    .filter((name) => /^cpu\d+$/.test(name))
    .map((name) => `${cpus}/${name}/thermal_throttle`)
    .filter((path) => existsSync(path))
}

function hostDevices(folder: string): OciDevice[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (SKIPPED_DEVICES.includes(entry.name)) return []
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return hostDevices(path)
    if (!entry.isBlockDevice() && !entry.isCharacterDevice()) return []
    const { rdev, mode, uid, gid } = statSync(path)
    const type = entry.isBlockDevice() ? 'b' : 'c'
    return [{ path, type, ...deviceNumbers(rdev), fileMode: mode & 0o7777, uid, gid }]
  })
}

/** As glibc packs them into dev_t. */
export function deviceNumbers(rdev: number): { major: number; minor: number } {
  const packed = BigInt(rdev)
  const major = ((packed >> 8n) & 0xfffn) | ((packed >> 32n) & ~0xfffn)
  const minor = (packed & 0xffn) | ((packed >> 12n) & ~0xffn)
  return { major: Number(major), minor: Number(minor & 0xffffffffn) }
}
