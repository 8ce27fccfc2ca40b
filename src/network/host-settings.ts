// Every setting of the machine that kedge changes, in one place: why, what keeps it from being a
// hole, and how it is taken back.
//
// What a setting was before is written to a file that goes with the next start of the machine, as
// the settings do. The uninstaller reads it and puts back what still is as we left it. Each line:
//
//   net/ipv4/ip_forward 0 1         path below /proc/sys, value before, value since

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readFileIfAny, writeFileAtomic } from '../lib/files.ts'

export type HostSetting = {
  /** Below /proc/sys. */
  readonly path: string
  readonly value: string
  /** Only from this value; others stay. */
  readonly from?: string
  /** Machines without it go on; what they do without is said here. */
  readonly without?: string
}

/** What the settings depend on. */
export type HostFacts = {
  readonly hasIpv6: boolean
  /** Devices that lead to pods, here or on other nodes. */
  readonly podDevices: readonly string[]
}

/** Modules of the kernel that are loaded when they are there; nothing takes a module back. */
export const KERNEL_MODULES = ['br_netfilter', 'overlay', 'nf_conntrack', 'vxlan'] as const

/** All of them; nothing else of kedge writes to /proc/sys of the machine. Pure. */
export function hostSettings({ hasIpv6, podDevices }: HostFacts): HostSetting[] {
  const ipv6: HostSetting[] = [
    { path: 'net/ipv6/conf/all/forwarding', value: '1' },
    { path: 'net/bridge/bridge-nf-call-ip6tables', value: '1', without: NO_BRIDGE_FILTER },
  ]
  return [
    // Strict checks of the way back drop what comes back another way; loose ones, which are the
    // guard of it, still stop forged sources. A machine that checks nothing is left so.
    { path: 'net/ipv4/conf/all/rp_filter', from: '1', value: '2' },
    // A machine with pods is a router. What its neighbours may send through it is up to the
    // chains of the forward hook, whose policies stay as their owner made them.
    { path: 'net/ipv4/ip_forward', value: '1' },
    // Answers between pods of one bridge must pass the rules that translated the question.
    { path: 'net/bridge/bridge-nf-call-iptables', value: '1', without: NO_BRIDGE_FILTER },
    ...(hasIpv6 ? ipv6 : []),
    // For ports of this node asked for through localhost. Without its guard, `localhostGuard`,
    // whoever is on the same network could reach what listens on localhost alone (CVE-2020-8558);
    // so the guard's table comes first, and no device gets it that does not lead to pods.
    ...podDevices.map((device) => ({
      path: `net/ipv4/conf/${device}/route_localnet`,
      value: '1',
      without: `ports of the node do not answer on localhost by way of ${device}`,
    })),
  ]
}

const NO_BRIDGE_FILTER = 'Services fail between pods of one node'

/**
 * Chains for a table of ours. Whatever the machine is set to, as without route_localnet: nothing
 * from outside comes from or goes to localhost, and nothing of localhost leaves the machine that is
 * not on its way to a pod. The first comes before connections are looked up, so that no answer of
 * localhost can be forged either.
 */
export const localhostGuard: readonly string[] = [
  'chain localhost_in {',
  '  type filter hook prerouting priority raw;',
  '  iifname != "lo" ip saddr 127.0.0.0/8 drop',
  '  iifname != "lo" ip daddr 127.0.0.0/8 drop',
  '}',
  'chain localhost_out {',
  '  type filter hook postrouting priority mangle;',
  '  ct status dnat accept',
  '  oifname != "lo" ip saddr 127.0.0.0/8 drop',
  '}',
]

/** Access to /proc/sys and to the file of what was before. */
export type HostFiles = {
  /** undefined when the machine has no such setting. */
  read(path: string): Promise<string | undefined>
  write(path: string, value: string): Promise<void>
  readRecord(): Promise<string>
  writeRecord(text: string): Promise<void>
}

/** Makes the machine so. Returns the settings that it does not have. */
export async function applyHostSettings(
  settings: readonly HostSetting[],
  files: HostFiles,
): Promise<HostSetting[]> {
  const missing: HostSetting[] = []
  for (const setting of settings) {
    const { path, value, from } = setting
    const before = await files.read(path)
    if (before === undefined) missing.push(setting)
    else if (before !== value && (from === undefined || from === before)) {
      // Written down first: what is not known to be ours is never taken back.
      await files.writeRecord(recordOf(await files.readRecord(), { path, before, value }))
      // Only what differs is written: some settings reset others when written.
      await files.write(path, value)
    }
  }
  return missing
}

/** The record with one more change; the value before the first of ours is what counts. Pure. */
export function recordOf(
  record: string,
  { path, before, value }: { path: string; before: string; value: string },
): string {
  const lines = record.split('\n').filter((line) => line !== '')
  const known = lines.find((line) => line.startsWith(`${path} `))
  const [, first = before] = known?.split(' ') ?? []
  const others = lines.filter((line) => line !== known)
  return `${[...others, `${path} ${first} ${value}`].join('\n')}\n`
}

export function systemHostFiles(recordPath: string, root = '/proc/sys'): HostFiles {
  return {
    read: async (path) => (await readFileIfAny(join(root, path)))?.trim(),
    write: (path, value) => writeFile(join(root, path), value),
    readRecord: async () => (await readFileIfAny(recordPath)) ?? '',
    writeRecord: (text) => writeFileAtomic(recordPath, text, 0o644),
  }
}
