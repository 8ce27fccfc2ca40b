import { afterEach, beforeEach, expect, test } from 'bun:test'
import {
  chmodSync,
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execProcess, heldUntil } from './exec.ts'
import { pauseProgram } from './holder.ts'
import { type ContainerRecord, Records } from './record.ts'
import { portMappingsOf, resolvConf } from './sandbox.ts'
import { runcWrapper } from './wrapper.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kedge-parts-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const record = (id: string, attempt = 0) => ({ id, attempt, state: 'running' }) as ContainerRecord

test('records are found again, and half-made folders are told apart', async () => {
  const records = new Records(folder)
  await records.save(record('a'))
  mkdirSync(join(folder, 'half'))
  mkdirSync(join(folder, 'torn'))
  writeFileSync(join(folder, 'torn/record.json'), '{"id":"to')
  const { records: found, broken } = await new Records(folder).load()
  expect(found.map(({ id }) => id)).toEqual(['a'])
  expect(broken.toSorted()).toEqual(['half', 'torn'])
})

test('of several saves at once the last one stays', async () => {
  const records = new Records(folder)
  await Promise.all(Array.from({ length: 20 }, (_, i) => records.save(record('a', i))))
  expect((await records.load()).records.map(({ attempt }) => attempt)).toEqual([19])
  expect(readdirSync(join(folder, 'a'))).toEqual(['record.json'])
})

test('a command in a container keeps its user and rights, and learns of its terminal', () => {
  const base = {
    terminal: false,
    user: { uid: 1, gid: 2, additionalGids: [] },
    args: ['serve'],
    env: ['A=b'],
    cwd: '/work',
    capabilities: { bounding: [], effective: [], permitted: [] },
    noNewPrivileges: true,
    oomScoreAdj: 5,
  }
  const options = { command: ['sh'], tty: true, stdin: true }
  expect(execProcess(base, options)).toEqual({
    ...base,
    args: ['sh'],
    env: ['A=b', 'TERM=xterm'],
    terminal: true,
  })
  expect(execProcess({ ...base, env: ['TERM=vt100'] }, options).env).toEqual(['TERM=vt100'])
})

test('resolv.conf has the lines that there is something to say for', () => {
  const config = { servers: ['10.43.0.10'], searches: ['a.svc', 'svc'], options: ['ndots:5'] }
  expect(resolvConf(config)).toBe('search a.svc svc\nnameserver 10.43.0.10\noptions ndots:5\n')
  expect(resolvConf({ servers: [], searches: [], options: [] })).toBe('')
})

test('host ports of a pod are those of its containers, none in the network of the host', () => {
  const ports = [{ containerPort: 80, hostPort: 8080 }, { containerPort: 81 }]
  const spec = { containers: [{ name: 'c', ports }] }
  const pod = { metadata: { name: 'p' }, spec }
  expect(portMappingsOf(pod)).toEqual([
    { hostPort: 8080, containerPort: 80, protocol: 'TCP', hostIP: '' },
  ])
  expect(portMappingsOf({ ...pod, spec: { ...spec, hostNetwork: true } })).toEqual([])
})

test('the wrapper becomes runc, with the output of a new container in our FIFOs', async () => {
  const fifos = join(folder, 'io')
  mkdirSync(join(fifos, 'id-1'), { recursive: true })
  const wrapper = join(folder, 'wrapper')
  writeFileSync(wrapper, runcWrapper(fifos))
  writeFileSync(join(folder, 'runc'), '#!/bin/sh\necho "runc $*"\necho problem >&2\n')
  for (const path of [wrapper, join(folder, 'runc')]) chmodSync(path, 0o755)
  const { exitCode } = Bun.spawnSync(['mkfifo', `${fifos}/id-1/out`, `${fifos}/id-1/err`])
  expect(exitCode).toBe(0)
  const env = { PATH: `${folder}:/usr/bin:/bin` }
  const ask = (...args: string[]) =>
    Bun.spawn([wrapper, ...args], { env, stdout: 'pipe', stderr: 'ignore' })
  expect(await ask('state', 'id-1').stdout.text()).toBe('runc state id-1\n')
  expect(await ask('create', '--bundle', 'b', 'other').stdout.text()).toContain('other')
  // Held open, as the agent does it: what is in a FIFO is lost when nobody has it open.
  const flags = constants.O_RDWR | constants.O_NONBLOCK
  const [out, err] = ['out', 'err'].map((name) => openSync(join(fifos, 'id-1', name), flags))
  const textIn = (fd: number) => {
    const buffer = Buffer.alloc(1000)
    return buffer.subarray(0, readSync(fd, buffer)).toString()
  }
  const created = ask('create', '--bundle', 'b', 'id-1')
  expect(await created.stdout.text()).toBe('')
  await created.exited
  expect(textIn(out!)).toBe('runc create --bundle b id-1\n')
  expect(textIn(err!)).toBe('problem\n')
  for (const fd of [out!, err!]) closeSync(fd)
})

test('the wrapper cannot be made to run something else', () => {
  expect(() => runcWrapper('/run/$(reboot)')).toThrow('unusual characters')
})

test('the program of the holder runs until it is killed', async () => {
  const path = join(folder, 'pause')
  writeFileSync(path, pauseProgram(process.arch), { mode: 0o755 })
  const child = Bun.spawn([path])
  const ignored = () =>
    Bun.file(`/proc/${child.pid}/status`)
      .text()
      .then((text) => /SigIgn:\s*([0-9a-f]+)/.exec(text)?.[1])
  // SIGCHLD is signal 17: bit 16.
  while (Number.parseInt((await ignored()) ?? '0', 16) !== 0x10000) await Bun.sleep(1)
  child.kill('SIGKILL')
  await child.exited
  expect(child.signalCode).toBe('SIGKILL')
})

test('the holder is written for known processors only', () => {
  expect(pauseProgram('arm64').length).toBeLessThan(256)
  expect(() => pauseProgram('mips')).toThrow('not supported on mips')
})

test.each([
  [true, 'first second'],
  [false, ''],
])('what comes before a command has started is its own if it does (%p)', async (has, expected) => {
  const started = Promise.withResolvers<boolean>()
  const output = new Response('first second').body as ReadableStream<Uint8Array>
  const held = new Response(heldUntil(() => started.promise, output) as never).text()
  started.resolve(has)
  expect(await held).toBe(expected)
})
