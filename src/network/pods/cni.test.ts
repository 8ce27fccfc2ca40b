import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '../../lib/log.ts'
import type { Processes, RunOptions } from '../../lib/process.ts'
import type { Attachment } from '../contract.ts'
import { Cni, readUserConfig } from './cni.ts'
import { addressesOf, bridgeConfig, mapsHostPorts, parseConfig, pluginInput } from './cni-config.ts'
import { collectAddresses } from './leaks.ts'

const signal = new AbortController().signal
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kedge-cni-'))
  mkdirSync(join(folder, 'bin'))
  for (const name of ['bridge', 'portmap']) writeFileSync(join(folder, 'bin', name), '')
})
afterEach(() => rmSync(folder, { recursive: true }))

type Call = { command: string; plugin: string; input: Record<string, unknown>; netns: string }

/** Plugins that answer from a script and write down what they were asked. */
function fakePlugins(answer: (call: Call) => { exitCode: number; stdout: string }) {
  const calls: Call[] = []
  const processes: Processes = {
    async run(argv: readonly string[], _: AbortSignal, options: RunOptions = {}) {
      const plugin = argv[0]!.split('/').at(-1)!
      const { CNI_COMMAND: command = '', CNI_NETNS: netns = '' } = options.env ?? {}
      const call = { command, plugin, netns, input: JSON.parse(String(options.stdin)) }
      calls.push(call)
      return { stderr: '', ...answer(call) }
    },
    spawn() {
      throw new Error('plugins are run to their end')
    },
  }
  const options = { processes, log: silentLog, pluginDirs: [join(folder, 'bin')] }
  return { calls, cni: new Cni({ ...options, cacheDir: join(folder, 'cache') }) }
}

const result = { cniVersion: '1.0.0', ips: [{ address: '10.42.0.5/24', gateway: '10.42.0.1' }] }
const network = {
  name: 'n',
  cniVersion: '1.0.0',
  plugins: [{ type: 'bridge' }, { type: 'portmap', capabilities: { portMappings: true } }],
}
const ports = [{ hostPort: 80, containerPort: 8080, protocol: 'TCP', hostIP: '' }]
const attachment = (): Attachment => ({
  id: 'uid-1',
  podName: 'web',
  podNamespace: 'default',
  netnsPath: folder,
  ports,
})
const succeed = () => ({ exitCode: 0, stdout: JSON.stringify(result) })

test('plugins run in order, each with the result of the one before', async () => {
  const { cni, calls } = fakePlugins(succeed)
  expect(addressesOf(await cni.add(network, attachment(), signal))).toEqual(['10.42.0.5'])
  expect(calls.map((call) => [call.command, call.plugin])).toEqual([
    ['ADD', 'bridge'],
    ['ADD', 'portmap'],
  ])
  expect(calls[0]!.input.prevResult).toBeUndefined()
  expect(calls[1]!.input.prevResult).toEqual(result)
  expect(calls[1]!.input.runtimeConfig).toEqual({ portMappings: ports })
})

test('a second attachment asks no plugin', async () => {
  const { cni, calls } = fakePlugins(succeed)
  await cni.add(network, attachment(), signal)
  await cni.add(network, attachment(), signal)
  expect(calls).toHaveLength(2)
})

test('detaching runs in reverse with what attaching had, once', async () => {
  const { cni, calls } = fakePlugins(succeed)
  await cni.add(network, attachment(), signal)
  calls.length = 0
  await cni.del({ ...attachment(), netnsPath: join(folder, 'gone') }, signal)
  await cni.del(attachment(), signal)
  expect(calls.map((call) => [call.command, call.plugin, call.netns])).toEqual([
    ['DEL', 'portmap', ''],
    ['DEL', 'bridge', ''],
  ])
  expect(calls[0]!.input.prevResult).toEqual(result)
})

test('a failed attachment is undone and says what the plugin said', async () => {
  const failure = JSON.stringify({ code: 11, msg: 'no addresses left', details: '10.42.0.0/24' })
  const { cni, calls } = fakePlugins((call) =>
    call.command === 'ADD' && call.plugin === 'portmap'
      ? { exitCode: 1, stdout: failure }
      : succeed(),
  )
  const adding = cni.add(network, attachment(), signal)
  await expect(adding).rejects.toThrow(
    'plugin type="portmap" failed (add): no addresses left: 10.42.0.0/24',
  )
  expect(calls.filter((call) => call.command === 'DEL')).toHaveLength(2)
  expect(await cni.attached()).toEqual([])
})

test('a missing plugin is named, with the package that has it', async () => {
  const { cni } = fakePlugins(succeed)
  const unknown = { ...network, plugins: [{ type: 'warp' }] }
  const adding = cni.add(unknown, attachment(), signal)
  await expect(adding).rejects.toThrow('failed to find plugin "warp"')
  await expect(adding).rejects.toThrow('containernetworking-plugins')
})

test('attachments are found again after a restart', async () => {
  await fakePlugins(succeed).cni.add(network, attachment(), signal)
  expect(await fakePlugins(succeed).cni.attached()).toEqual([{ id: 'uid-1', result, ports }])
})

test('our own configuration leaves masquerading to us', () => {
  const wish = { podCidrs: ['10.42.0.0/24'], mtu: 1400, bridge: 'kedge0', addressDir: '/run/a' }
  const [plugin] = bridgeConfig(wish).plugins
  expect(plugin).toMatchObject({ type: 'bridge', ipMasq: false, hairpinMode: true, mtu: 1400 })
  expect(mapsHostPorts(bridgeConfig(wish))).toBe(false)
})

test('plugins without the capability get no port mappings', () => {
  const input = JSON.parse(pluginInput(network, network.plugins[0]!, undefined, ports))
  expect(input.runtimeConfig).toBeUndefined()
  expect(input.name).toBe('n')
})

test('the user configuration is the first file by name, a list or a single plugin', async () => {
  const dir = join(folder, 'net.d')
  expect(await readUserConfig(dir)).toBeUndefined()
  mkdirSync(dir)
  writeFileSync(join(dir, 'README'), 'not one')
  writeFileSync(join(dir, '20-late.conflist'), JSON.stringify(network))
  writeFileSync(join(dir, '10-first.conf'), JSON.stringify({ name: 'one', type: 'ptp' }))
  expect((await readUserConfig(dir))?.plugins.map((plugin) => plugin.type)).toEqual(['ptp'])
  expect(() => parseConfig('{"plugins":[]}', 'x.conflist')).toThrow('needs a name')
})

test('addresses of pods that are gone are given back, others kept', async () => {
  const files = { '10.42.0.2': 'uid-1\r\neth0', '10.42.0.3': 'uid-2\r\neth0', lock: '' }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'bin', name), text)
  await collectAddresses(join(folder, 'bin'), new Set(['uid-2']))
  expect(readdirSync(join(folder, 'bin')).toSorted()).toEqual([
    '10.42.0.3',
    'bridge',
    'lock',
    'portmap',
  ])
})
