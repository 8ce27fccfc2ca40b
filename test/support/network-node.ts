// One node of a network test, as a program that runs in the node's network namespace:
//   bun network-node.ts FOLDER SETTINGS-AS-JSON POD-ID...
// Configures the node, attaches a pod for each id, and prints their addresses as JSON.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LinuxSyscalls } from '../../src/lib/linux/syscalls.ts'
import { silentLog } from '../../src/lib/log.ts'
import { SystemProcesses } from '../../src/lib/process.ts'
import { SystemRandom } from '../../src/lib/random.ts'
import { systemHostFiles } from '../../src/network/host-settings.ts'
import { createNft } from '../../src/network/nft.ts'
import { type NetworkSettings, NodeNetwork } from '../../src/network/pods/node-network.ts'

const [folder, settings, ...ids] = process.argv.slice(2)
if (folder === undefined || settings === undefined) throw new Error('usage: FOLDER SETTINGS ID...')
const signal = new AbortController().signal
const processes = new SystemProcesses()
const network = new NodeNetwork({
  processes,
  nft: createNft({ processes, random: new SystemRandom() }),
  flows: { translates: () => {} },
  hostFiles: systemHostFiles(join(folder, 'network/host-settings')),
  serviceCidr: '10.43.0.0/16',
  log: silentLog,
  runDir: join(folder, 'network'),
  userConfigDir: undefined,
})
await network.configure(JSON.parse(settings) as NetworkSettings, signal)
const syscalls = new LinuxSyscalls()
const ips: string[] = []
for (const id of ids) {
  const netnsPath = join(folder, id)
  mkdirSync(folder, { recursive: true })
  if (!(await Bun.file(netnsPath).exists())) {
    writeFileSync(netnsPath, '')
    syscalls.makeNamespaces({ net: netnsPath }, '', () => {})
  }
  const attachment = { id, podName: id, podNamespace: 'default', netnsPath, ports: [] }
  ips.push((await network.attach(attachment, signal))[0]!)
}
console.log(JSON.stringify(ips))
