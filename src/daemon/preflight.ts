// Looks at the machine before anything is written, so that a refused start changes nothing.
// Every fault is one line: what, where, how to mend it.

import { access, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Processes } from '../lib/process.ts'
import { UserError } from '../lib/user-error.ts'
import { DEFAULT_PLUGIN_DIRS } from '../network/pods/cni.ts'
import { lockFolder, requireFile, requireFolder, requireSpace } from './folders.ts'
import { CNI_CONFIG_DIR, NODE_PROGRAMS } from './node.ts'
import { nodeIpOf, nodeNameOf } from './node-address.ts'
import type { Role, Settings } from './options.ts'
import { pathsOf } from './paths.ts'
import { requirePort } from './port.ts'
import { checkRanges } from './ranges.ts'
import { loadRegistries } from './registries.ts'
import { checkServerToken } from './server-token.ts'

export type Place = { nodeName: string; nodeIp: string }

/** Throws UserError for the first thing that is wrong; otherwise who and where this node is. */
export async function checkMachine(
  role: Role,
  settings: Settings,
  processes: Processes,
  signal: AbortSignal,
): Promise<Place> {
  const hasNode = role === 'agent' || !settings['disable-agent']
  if (hasNode) {
    const orElse = role === 'server' ? ', or run no node with --disable-agent' : ''
    requireRoot(`kedge ${role}`, orElse)
    requirePrograms(NODE_PROGRAMS)
    await requirePlugins(CNI_CONFIG_DIR)
  }
  const nodeName = nodeNameOf(settings)
  const nodeIp = await nodeIpOf(settings, processes, signal)
  await requireFolder('--data-dir', settings['data-dir'])
  await requireSpace('--data-dir', settings['data-dir'])
  if (hasNode) {
    await requireFolder('--run-dir', settings['run-dir'])
    await requireFolder('--pod-log-dir', settings['pod-log-dir'])
    await requireSocket(settings['containerd-address'])
    await loadRegistries(settings)
    await lockFolder('--run-dir', settings['run-dir'])
  }
  if (role === 'server') {
    checkRanges(settings, nodeIp)
    await requireFile('--write-kubeconfig', settings['write-kubeconfig'])
    await checkServerToken(settings, pathsOf(settings).server.pki)
    await requirePort(settings, processes, signal)
  }
  return { nodeName, nodeIp }
}

/** Throws UserError for everyone else. */
export function requireRoot(command: string, orElse = ''): void {
  if (process.getuid?.() === 0) return
  throw new UserError(`${command} needs root: run it with sudo${orElse}`)
}

/** Programs by the name of the package that brings them. */
function requirePrograms(programs: Readonly<Record<string, string>>): void {
  for (const [program, packageName] of Object.entries(programs)) {
    if (Bun.which(program) !== null) continue
    throw new UserError(`${program} is not in PATH: install it with apt-get install ${packageName}`)
  }
}

/** Whoever configures the network in `configDir` answers for its plugins as well. */
async function requirePlugins(configDir: string): Promise<void> {
  if ((await readdir(configDir).catch(() => [])).length > 0) return
  for (const folder of DEFAULT_PLUGIN_DIRS) {
    if (await exists(join(folder, 'bridge'))) return
  }
  throw new UserError(
    `the CNI plugins are not in ${DEFAULT_PLUGIN_DIRS.join(', ')}: ` +
      'install them with apt-get install containernetworking-plugins',
  )
}

async function requireSocket(path: string | undefined): Promise<void> {
  if (path === undefined || (await exists(path))) return
  throw new UserError(
    `--containerd-address ${path}: there is no such socket: start that containerd, or leave the ` +
      'option out to have one started',
  )
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false, // Out of reach is as good as not there.
  )
}
