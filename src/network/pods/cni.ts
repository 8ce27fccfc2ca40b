// Runs CNI plugins as the specification says: configuration on standard input, the rest in the
// environment, a result or an error as JSON on standard output.
//
// The configuration and result of every attachment are kept, so that DEL gets what ADD had even if
// the configuration has changed since.

import { access, mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readFileIfAny, removeIfAny, writeFileAtomic } from '../../lib/files.ts'
import { describeError, type Log } from '../../lib/log.ts'
import type { Processes } from '../../lib/process.ts'
import type { Attachment, PortMapping } from '../contract.ts'
import {
  type CniResult,
  type NetworkConfig,
  type PluginConfig,
  parseConfig,
  pluginInput,
} from './cni-config.ts'

export type CniOptions = {
  processes: Processes
  log: Log
  /** Where plugins are looked for, in this order. */
  pluginDirs: readonly string[]
  /** Results of attachments; gone after a reboot, as are the attachments. */
  cacheDir: string
}

export type Attached = {
  readonly id: string
  readonly result: CniResult
  readonly ports: readonly PortMapping[]
}

type Cached = { network: NetworkConfig; result: CniResult; ports: readonly PortMapping[] }

export const DEFAULT_PLUGIN_DIRS = ['/opt/cni/bin', '/usr/lib/cni', '/usr/libexec/cni']
const INTERFACE = 'eth0'

export class Cni {
  readonly #options: CniOptions
  readonly #plugins = new Map<string, string>()

  constructor(options: CniOptions) {
    this.#options = options
  }

  /** Attaches a pod; a second call returns what the first one made. Undoes a failed attempt. */
  async add(
    network: NetworkConfig,
    attachment: Attachment,
    signal: AbortSignal,
  ): Promise<CniResult> {
    const cached = await this.#cached(attachment.id)
    if (cached !== undefined) return cached.result
    try {
      let result: CniResult | undefined
      for (const plugin of network.plugins) {
        const input = pluginInput(network, plugin, result, attachment.ports)
        const output = await this.#run('ADD', plugin, input, attachment, signal)
        result = parseResult(output, plugin) ?? result
      }
      const whole = result ?? {}
      const keep: Cached = { network, result: whole, ports: attachment.ports }
      await writeFileAtomic(this.#path(attachment.id), JSON.stringify(keep))
      return whole
    } catch (error) {
      await this.#delete(
        { network, result: {}, ports: attachment.ports },
        attachment,
        signal,
      ).catch((undo) => this.#options.log.warn('undoing a failed CNI ADD failed', { error: undo }))
      throw error
    }
  }

  /** Detaches a pod; fine when it is not attached. `netnsPath` may be gone. */
  async del(attachment: Attachment, signal: AbortSignal): Promise<void> {
    const cached = await this.#cached(attachment.id)
    if (cached === undefined) return
    await this.#delete(cached, attachment, signal)
    await removeIfAny(this.#path(attachment.id))
  }

  /** All attachments that were made and not undone, also before a restart of the agent. */
  async attached(): Promise<Attached[]> {
    await mkdir(this.#options.cacheDir, { recursive: true, mode: 0o700 })
    const names = await readdir(this.#options.cacheDir)
    const ids = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5))
    return Promise.all(
      ids.map(async (id) => {
        const cached = await this.#cached(id)
        return { id, result: cached?.result ?? {}, ports: cached?.ports ?? [] }
      }),
    )
  }

  async #delete(cached: Cached, attachment: Attachment, signal: AbortSignal): Promise<void> {
    const { network, result, ports } = cached
    const previous = result.ips === undefined ? undefined : result
    for (const plugin of network.plugins.toReversed()) {
      const input = pluginInput(network, plugin, previous, ports)
      await this.#run('DEL', plugin, input, attachment, signal)
    }
  }

  async #run(
    command: 'ADD' | 'DEL',
    plugin: PluginConfig,
    input: string,
    attachment: Attachment,
    signal: AbortSignal,
  ): Promise<string> {
    const program = await this.#program(plugin.type)
    const isThere = await exists(attachment.netnsPath)
    const { exitCode, stdout, stderr } = await this.#options.processes.run([program], signal, {
      stdin: input,
      env: {
        // bridge runs host-local itself, and user plugins may run iptables and the like.
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        CNI_COMMAND: command,
        CNI_CONTAINERID: attachment.id,
        CNI_NETNS: isThere ? attachment.netnsPath : '',
        CNI_IFNAME: INTERFACE,
        CNI_PATH: this.#options.pluginDirs.join(':'),
        CNI_ARGS: argumentsOf(attachment),
      },
    })
    if (exitCode === 0) return stdout
    throw new Error(
      `plugin type="${plugin.type}" failed (${command.toLowerCase()}): ${errorText()}`,
    )

    function errorText(): string {
      const said = parseError(stdout)
      return said ?? (stderr.trim() || stdout.trim() || `exit code ${exitCode}`)
    }
  }

  async #program(type: string): Promise<string> {
    const known = this.#plugins.get(type)
    if (known !== undefined) return known
    for (const dir of this.#options.pluginDirs) {
      const path = join(dir, type)
      if (await exists(path)) {
        this.#plugins.set(type, path)
        return path
      }
    }
    const dirs = this.#options.pluginDirs.join(', ')
    const hint = 'install the package containernetworking-plugins'
    throw new Error(`failed to find plugin "${type}" in path [${dirs}]; ${hint}`)
  }

  async #cached(id: string): Promise<Cached | undefined> {
    const text = await readFileIfAny(this.#path(id))
    if (text === undefined) return undefined
    try {
      return JSON.parse(text)
    } catch (error) {
      this.#options.log.warn('unreadable CNI result', { id, why: describeError(error) })
      return undefined
    }
  }

  #path(id: string): string {
    return join(this.#options.cacheDir, `${id}.json`)
  }
}

/** The first configuration of a folder by name, as every CNI runtime chooses; undefined if none. */
export async function readUserConfig(dir: string): Promise<NetworkConfig | undefined> {
  const names = await readdir(dir).catch((): string[] => []) // No such folder: no configuration.
  const first = names.filter((name) => /\.(conflist|conf|json)$/.test(name)).toSorted()[0]
  if (first === undefined) return undefined
  return parseConfig(await readFile(join(dir, first), 'utf8'), join(dir, first))
}

function argumentsOf({ podName, podNamespace, id }: Attachment): string {
  return [
    'IgnoreUnknown=1',
    `K8S_POD_NAMESPACE=${podNamespace}`,
    `K8S_POD_NAME=${podName}`,
    `K8S_POD_INFRA_CONTAINER_ID=${id}`,
    `K8S_POD_UID=${id}`,
  ].join(';')
}

function parseResult(output: string, plugin: PluginConfig): CniResult | undefined {
  if (output.trim() === '') return undefined
  try {
    return JSON.parse(output)
  } catch (cause) {
    throw new Error(`plugin type="${plugin.type}" answered no JSON`, { cause })
  }
}

function parseError(output: string): string | undefined {
  try {
    const { msg, details } = JSON.parse(output)
    return typeof msg === 'string' ? [msg, details].filter(Boolean).join(': ') : undefined
  } catch {
    return undefined // Not every plugin fails in the form that the specification asks for.
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
