// The real runtime: its contract, and what only a kernel can show. Run by runtime.test.ts in
// namespaces of its own, so that nothing of it can be left behind.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync, readlinkSync } from 'node:fs'
import type { Container, PodSpec } from '../../src/api/schema/generated/types.ts'
import { type RealRuntime, startRealRuntime } from '../support/real-runtime.ts'
import { aPod, runtimeContract, untilExited } from './runtime.contract.ts'

// One machine for all: starting containerd takes longer than any test.
const machine = startRealRuntime()
runtimeContract('a real runtime', async () => Object.create(await machine, { close: noClose }))
const noClose = { value: async () => {} }

const signal = new AbortController().signal
let world: RealRuntime
beforeAll(async () => {
  world = await machine
}, 60_000)
afterAll(() => world.close(), 60_000)

type Wish = { container?: Partial<Container>; spec?: Partial<PodSpec> }

/** Makes a pod, starts its container, and gives what one does with it. */
async function start(script: string, { container = {}, spec = {} }: Wish = {}) {
  const { uid, pod, config, sandbox } = aPod(world, script, container)
  const whole = { ...pod, spec: { ...pod.spec, ...spec } }
  const made = await world.runtime.createSandbox(whole, sandbox, signal)
  const configured = { ...config(), pod: whole }
  const { id } = await world.runtime.startContainer(configured, signal)
  return {
    uid,
    id,
    ip: made.ips[0]!,
    logPath: configured.logPath,
    pod: whole,
    sandbox,
    log: () => plain(readFileSync(configured.logPath, 'utf8')),
    exited: () => untilExited(world.runtime, uid, id),
    remove: () => world.runtime.removeSandbox(uid, signal),
    async run(...command: string[]) {
      const options = { command, tty: false, stdin: false, rest: 'wait' as const }
      const session = await world.runtime.exec(id, options, signal)
      const [output, code] = await Promise.all([textOf(session.stdout), session.exitCode])
      return { output, code }
    },
  }
}

/** What a container that ends by itself has printed. */
async function outputOf(script: string, wish: Wish = {}): Promise<string[]> {
  const one = await start(script, wish)
  await one.exited()
  const lines = one.log()
  await one.remove()
  return lines
}

function plain(log: string): string[] {
  const lines = log.split('\n').filter(Boolean)
  return lines.map((line) => line.split(' ').slice(3).join(' '))
}

function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  return new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).text()
}

test('the first words of a container are never lost', async () => {
  const pods = await Promise.all(Array.from({ length: 8 }, () => outputOf('echo first')))
  expect(pods).toEqual(Array.from({ length: 8 }, () => ['first']))
})

test('output is logged in CRI form behind a link that collectors know', async () => {
  const one = await start('echo out; echo err >&2; sleep 1000')
  const link = `${world.folder}/links/${one.pod.metadata.name}_default_main-${one.id}.log`
  expect(readlinkSync(link)).toBe(one.logPath)
  await untilLines(one.log, 2)
  const lines = readFileSync(link, 'utf8').trim().split('\n').toSorted()
  const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z`
  expect(lines[0]).toMatch(new RegExp(`^${time} stdout F out$`))
  expect(lines[1]).toMatch(new RegExp(`^${time} stderr F err$`))
  await one.remove()
})

test('logs go on after the agent was away, and an exit in between is found', async () => {
  const talker = await start('i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done')
  const dying = await start(
    'while [ ! -s /dev/termination-log ]; do sleep 0.01; done; echo last words; exit 9',
  )
  await untilLines(talker.log, 5)
  await world.restart(async () => {
    await Bun.write(`${world.folder}/messages/${dying.uid}`, 'end')
    while (isRunning('-s /dev/termination-log')) await Bun.sleep(5)
  })
  expect(await dying.exited()).toMatchObject({ exitCode: 9 })
  expect(dying.log()).toEqual(['last words'])
  await untilLines(talker.log, talker.log().length + 5)
  const numbers = talker.log().map(Number)
  expect(numbers).toEqual(numbers.map((_, i) => i + 1))
  await talker.remove()
  await dying.remove()
})

test('a command that is not there is a start error, in the words of runc', async () => {
  const { uid, pod, config, sandbox } = aPod(world, '')
  await world.runtime.createSandbox(pod, sandbox, signal)
  const starting = world.runtime.startContainer(config({ command: ['nosuch'] }), signal)
  await expect(starting).rejects.toMatchObject({ reason: 'RunContainerError' })
  const [seen] = (await world.runtime.observe(uid, signal)).containers
  expect(seen).toMatchObject({ state: 'exited', exitCode: 128, failure: { reason: 'StartError' } })
  expect(seen!.failure!.message).toContain('exec: "nosuch": executable file not found in $PATH')
  await world.runtime.removeSandbox(uid, signal)
})

test('running out of memory is seen', async () => {
  const resources = { limits: { memory: '8Mi' } }
  const one = await start('x=a; while :; do x=$x$x; done', { container: { resources } })
  expect(await one.exited()).toMatchObject({ oomKilled: true, exitCode: 137 })
  await one.remove()
})

test('users, groups, capabilities and limits are those that the pod asks for', async () => {
  const securityContext = {
    runAsUser: 1000,
    runAsGroup: 7,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  }
  const script =
    'id; grep -E "NoNewPrivs|CapBnd|^Seccomp:" /proc/self/status; touch /x 2>&1; mkdir /dev/shm/y'
  const spec = { securityContext: { fsGroup: 99 } }
  const lines = await outputOf(script, { container: { securityContext }, spec })
  expect(lines).toEqual([
    'uid=1000(web) gid=7 groups=6(disk),7,99',
    'CapBnd:\t0000000000000000',
    'NoNewPrivs:\t1',
    'Seccomp:\t2',
    'touch: /x: Read-only file system',
  ])
})

test('a privileged container may mount', async () => {
  const wish = { container: { securityContext: { privileged: true } } }
  expect(
    await outputOf(
      'mount -t tmpfs x /mnt 2>&1 || mkdir /m && mount -t tmpfs x /m && echo ok',
      wish,
    ),
  ).toContain('ok')
  expect(await outputOf('mkdir /m; mount -t tmpfs x /m 2>&1')).toEqual([
    'mount: permission denied (are you root?)',
  ])
})

test('pods reach each other, know their names, and serve low ports as anybody', async () => {
  const securityContext = { runAsUser: 1000 }
  const server = await start('hostname > /tmp/name; httpd -f -p 80 -h /tmp', {
    container: { securityContext },
  })
  const client = await start('sleep 1000')
  const name = server.pod.metadata.name!
  const ask = () => client.run('wget', '-q', '-O', '-', `http://${server.ip}/name`)
  let answer = await ask()
  while (answer.code !== 0) answer = await ask()
  expect(answer.output.trim()).toBe(name)
  expect((await client.run('cat', '/etc/resolv.conf')).output).toBe('nameserver 10.43.0.10\n')
  await server.remove()
  await client.remove()
})

test('a port that listens on localhost only can be dialled', async () => {
  const one = await start('echo hello > /tmp/page; httpd -f -p 127.0.0.1:8080 -h /tmp')
  let stream = await world.runtime.dialPort(one.uid, 8080, signal).catch(() => undefined)
  while (stream === undefined) {
    stream = await world.runtime.dialPort(one.uid, 8080, signal).catch(() => undefined)
  }
  await stream.write(Buffer.from('GET /page HTTP/1.0\r\n\r\n'))
  expect(await textOf(stream.readable)).toContain('hello')
  await expect(world.runtime.dialPort(one.uid, 1, signal)).rejects.toThrow(
    'failed to connect to localhost:1',
  )
  await one.remove()
})

test('a host port leads to the pod, also after a restart of the agent', async () => {
  const ports = [{ containerPort: 8080, hostPort: 18_080 }]
  const one = await start('echo hello > /tmp/page; httpd -f -p 8080 -h /tmp', {
    container: { ports },
  })
  const ask = () => ask18080().catch(() => undefined)
  let page = await ask()
  while (page === undefined) page = await ask()
  expect(page).toContain('hello')
  await world.restart()
  expect(await ask18080()).toContain('hello')
  await one.remove()
  await expect(ask18080()).rejects.toThrow()
})

test('containers share processes where the pod asks for it', async () => {
  const one = await start('echo up; sleep 1000', { spec: { shareProcessNamespace: true } })
  await untilLines(one.log, 1)
  const { output } = await one.run('ps')
  expect(output).toContain('/pause')
  expect(output).toContain('sleep 1000')
  await world.runtime.stopContainer(one.id, 0, signal)
  expect(await one.exited()).toMatchObject({ exitCode: 137 })
  await one.remove()
})

test('the namespaces of the host are used where the pod asks for them', async () => {
  const spec = { hostNetwork: true, hostPID: true, hostIPC: true }
  const script = 'for n in net pid ipc uts; do readlink /proc/self/ns/$n; done'
  const own = ['net', 'pid', 'ipc', 'uts'].map((name) => readlinkSync(`/proc/self/ns/${name}`))
  const one = await start(`${script}; sleep 1000`, { spec })
  await untilLines(one.log, 4)
  expect(one.log()).toEqual(own)
  await one.remove()
})

test('a terminal is one, can be typed into, and learns the last of its sizes', async () => {
  const one = await start('echo early; exec sh', { container: { tty: true, stdin: true } })
  const session = await world.runtime.attach(one.id, { tty: true, stdin: true }, signal)
  for (let rows = 20; rows <= 40; rows++) session.resize(100, rows)
  const type = (text: string) => session.write(Buffer.from(text))
  await type('while [ "$(stty size)" != "40 100" ]; do sleep 0.02; done; exit 5\n')
  expect(await session.exitCode).toBe(5)
  // One carriage return, from the one terminal.
  expect(one.log()).toContain('early\r')
  await one.remove()
})

test('input of one attached client ends when it leaves, if the pod asks for that', async () => {
  const container = { stdin: true, stdinOnce: true }
  const one = await start('while read x; do echo got $x; done; echo end', { container })
  const session = await world.runtime.attach(one.id, { tty: false, stdin: true }, signal)
  await session.write(Buffer.from('one\n'))
  await session.endInput()
  expect(await textOf(session.stdout)).toBe('got one\nend\n')
  expect(await session.exitCode).toBe(0)
  await one.remove()
})

test('a command can be fed, and is killed when its session is closed', async () => {
  const one = await start('sleep 1000')
  const options = {
    command: ['sh', '-c', 'cat; exit 4'],
    tty: false,
    stdin: true,
    rest: 'wait' as const,
  }
  const fed = await world.runtime.exec(one.id, options, signal)
  await fed.write(Buffer.from('some input'))
  await fed.endInput()
  expect([await textOf(fed.stdout), await fed.exitCode]).toEqual(['some input', 4])
  const command = ['sh', '-c', 'echo up; exec sleep 777']
  const closed = await world.runtime.exec(
    one.id,
    { command, tty: false, stdin: false, rest: 'wait' as const },
    signal,
  )
  const reader = closed.stdout.getReader()
  await reader.read()
  closed.close()
  expect(await closed.exitCode).toBe(137)
  expect((await one.run('ps')).output).not.toContain('sleep 777')
  await one.remove()
})

test('containerd may die: what runs runs on, and is followed again', async () => {
  const one = await start('sleep 1000')
  const { ctr } = world.containerd
  const pid = await pidOfContainerd()
  process.kill(pid, 'SIGKILL')
  // Until the agent has started it again, and stopping is seen as an event.
  for (;;) {
    const answer = await ctr.run(['version'], signal).catch(() => undefined)
    if (answer !== undefined) break
  }
  expect(await pidOfContainerd()).not.toBe(pid)
  await world.runtime.stopContainer(one.id, 0, signal)
  expect(await one.exited()).toMatchObject({ exitCode: 137 })
  await one.remove()
})

test('nothing is left of pods that were removed', async () => {
  const { ctr } = world.containerd
  expect((await world.runtime.observeAll(signal)).size).toBe(0)
  expect((await ctr.run(['containers', 'ls', '-q'], signal)).trim()).toBe('')
  expect((await ctr.run(['tasks', 'ls', '-q'], signal)).trim()).toBe('')
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  expect(mounts.filter((line) => line.includes(world.folder))).toEqual([])
  const links = Bun.spawnSync(['ip', '-o', 'link', 'show', 'type', 'veth']).stdout.toString()
  expect(links).toBe('')
})

/** True while a process of this machine has `text` in its command line. */
function isRunning(text: string): boolean {
  return Bun.spawnSync(['ps', '-eo', 'args']).stdout.toString().includes(text)
}

async function ask18080(): Promise<string> {
  return textOf(await dialHost(18_080))
}

/** Through the address that the bridge gives this machine. */
async function dialHost(port: number): Promise<ReadableStream<Uint8Array>> {
  const answer = await fetch(`http://10.77.0.1:${port}/page`, { signal: AbortSignal.timeout(500) })
  if (!answer.ok) throw new Error(`status ${answer.status}`)
  return answer.body!
}

async function pidOfContainerd(): Promise<number> {
  const lines = Bun.spawnSync(['ps', '-eo', 'pid,args']).stdout.toString().split('\n')
  const line = lines.find(
    (one) => one.includes('containerd --config') && one.includes(world.folder),
  )
  return Number(line?.trim().split(' ')[0] ?? 0)
}

async function untilLines(log: () => string[], count: number): Promise<void> {
  const there = () => {
    try {
      return log().length
    } catch {
      return 0 // Not written yet.
    }
  }
  while (there() < count) await Bun.sleep(5)
}
