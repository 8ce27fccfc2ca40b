// Linux capabilities of a container: the default set, what the pod adds and drops, and never more
// than the agent itself may give.

/** In the order of their numbers (linux/capability.h). */
export const CAPABILITIES = [
  ...['CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID'],
  ...['SETPCAP', 'LINUX_IMMUTABLE', 'NET_BIND_SERVICE', 'NET_BROADCAST', 'NET_ADMIN', 'NET_RAW'],
  ...['IPC_LOCK', 'IPC_OWNER', 'SYS_MODULE', 'SYS_RAWIO', 'SYS_CHROOT', 'SYS_PTRACE', 'SYS_PACCT'],
  ...['SYS_ADMIN', 'SYS_BOOT', 'SYS_NICE', 'SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'MKNOD'],
  ...['LEASE', 'AUDIT_WRITE', 'AUDIT_CONTROL', 'SETFCAP', 'MAC_OVERRIDE', 'MAC_ADMIN', 'SYSLOG'],
  ...['WAKE_ALARM', 'BLOCK_SUSPEND', 'AUDIT_READ', 'PERFMON', 'BPF', 'CHECKPOINT_RESTORE'],
].map((name) => `CAP_${name}`)

/** What a container gets that asks for nothing; the set that container runtimes share. */
const DEFAULT = new Set(
  [
    ...['CHOWN', 'DAC_OVERRIDE', 'FSETID', 'FOWNER', 'MKNOD', 'NET_RAW', 'SETGID', 'SETUID'],
    ...['SETFCAP', 'SETPCAP', 'NET_BIND_SERVICE', 'SYS_CHROOT', 'KILL', 'AUDIT_WRITE'],
  ].map((name) => `CAP_${name}`),
)

export type CapabilityWish = {
  readonly privileged: boolean
  readonly add: readonly string[]
  readonly drop: readonly string[]
}

/**
 * The capabilities of a container. Adding ALL starts from everything, dropping ALL from nothing; a
 * single name decides over ALL, and dropping over adding. `available` is the agent's bounding set.
 */
export function planCapabilities(wish: CapabilityWish, available: ReadonlySet<string>): string[] {
  const add = new Set(wish.add.map(fullName))
  const drop = new Set(wish.drop.map(fullName))
  const has = (name: string): boolean => {
    if (wish.privileged) return true
    if (drop.has(name)) return false
    if (add.has(name)) return true
    if (drop.has('CAP_ALL')) return false
    return add.has('CAP_ALL') || DEFAULT.has(name)
  }
  return CAPABILITIES.filter((name) => has(name) && available.has(name))
}

/** Names of the bits in a mask of /proc/self/status, written in hexadecimal. */
export function parseCapabilityMask(hex: string): Set<string> {
  const mask = BigInt(`0x${hex}`)
  return new Set(CAPABILITIES.filter((_, bit) => ((mask >> BigInt(bit)) & 1n) === 1n))
}

function fullName(name: string): string {
  const upper = name.toUpperCase()
  return upper.startsWith('CAP_') ? upper : `CAP_${upper}`
}
