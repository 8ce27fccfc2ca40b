// Asks a real CoreDNS: bun test/compare/dns/record.ts COREDNS-PROGRAM
// As root: it makes a network namespace of its own, so that nothing else has the addresses.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FrameReader, framed } from '../../../src/dns/frames.ts'
import { ADMIN, testServer } from '../../support/server.ts'
import { normal } from './normal.ts'
import { outside } from './outside.ts'
import { QUESTIONS } from './questions.ts'
import { WORLD } from './world.ts'

const ADDRESS = '10.43.0.10'
const RESOLVER_PORT = 5301
const API_PORT = 8001
const ANSWER_MS_MAX = 1000

const [program] = process.argv.slice(2)
if (program === undefined) throw new Error('say which CoreDNS to ask')
if (process.env.RECORDING === undefined) {
  const argv = ['unshare', '--net', process.execPath, import.meta.path, program]
  const env = { ...process.env, RECORDING: 'yes' }
  process.exit(await Bun.spawn(argv, { env, stdio: ['ignore', 'inherit', 'inherit'] }).exited)
}
// The name server says all its addresses; ours has this one alone.
writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1')
for (const line of [
  'link set lo up',
  'link add dns0 type bridge',
  `addr add ${ADDRESS}/24 dev dns0`,
  'link set dns0 up',
]) {
  Bun.spawnSync(['ip', ...line.split(' ')])
}
const folder = mkdtempSync(join(tmpdir(), 'kedge-coredns-'))
const server = await testServer()
for (const { path, body } of WORLD) {
  const { code, text } = await server.call('POST', path, { body })
  if (code !== 201) throw new Error(`${path}: ${text}`)
}
const api = Bun.serve({
  hostname: '127.0.0.1', port: API_PORT, idleTimeout: 0,
  fetch: (request) => server.app.fetch(request, { user: ADMIN }),
})
await resolveOutside()
const corefile = join(folder, 'Corefile')
writeFileSync(
  corefile,
  `.:53 {
    kubernetes cluster.local in-addr.arpa ip6.arpa {
      endpoint http://127.0.0.1:${API_PORT}
      pods insecure
      fallthrough in-addr.arpa ip6.arpa
      ttl 5
    }
    forward . 127.0.0.1:${RESOLVER_PORT}
  }
`,
)
const coredns = Bun.spawn([program, '-conf', corefile], { stdio: ['ignore', 'ignore', 'inherit'] })
const answers: Record<string, unknown> = {}
try {
  await Bun.sleep(3000)
  for (const { title, over, bytes } of QUESTIONS) {
    answers[title] = normal(over === 'udp' ? await overUdp(bytes) : await overTcp(bytes)) ?? null
  }
} finally {
  coredns.kill()
  api.stop(true)
  rmSync(folder, { recursive: true })
}
const version = Bun.spawnSync([program, '-version']).stdout.toString().split('\n')[0]
const lines = Object.entries(answers).map(([title, one]) => {
  return ` ${JSON.stringify(title)}: ${JSON.stringify(one)}`
})
const text = `{\n "version": ${JSON.stringify(version)},\n${lines.join(',\n')}\n}\n`
writeFileSync(join(import.meta.dir, 'answers.json'), text)
process.stdout.write(`${lines.length} answers of ${version}\n`)
await server.close()
// The resolver would go on for ever.
process.exit(0)

async function overUdp(bytes: Uint8Array): Promise<Uint8Array | undefined> {
  const reply = Promise.withResolvers<Uint8Array | undefined>()
  const socket = await Bun.udpSocket({
    connect: { hostname: ADDRESS, port: 53 },
    socket: { data: (_socket, data) => reply.resolve(data) },
  })
  socket.send(bytes)
  const timer = setTimeout(() => reply.resolve(undefined), ANSWER_MS_MAX)
  return reply.promise.finally(() => {
    clearTimeout(timer)
    socket.close()
  })
}

async function overTcp(bytes: Uint8Array): Promise<Uint8Array | undefined> {
  const reply = Promise.withResolvers<Uint8Array | undefined>()
  const frames = new FrameReader()
  const socket = await Bun.connect({
    hostname: ADDRESS, port: 53,
    socket: {
      data(_socket, chunk) {
        for (const message of frames.read(chunk)) reply.resolve(message)
      },
      close: () => reply.resolve(undefined),
    },
  })
  socket.write(framed(bytes))
  return reply.promise.finally(() => socket.end())
}

/** The resolver outside, over both. */
async function resolveOutside(): Promise<void> {
  const hostname = '127.0.0.1'
  await Bun.udpSocket({
    hostname, port: RESOLVER_PORT,
    socket: {
      data: (socket, bytes, port, address) => void socket.send(outside(bytes), port, address),
    },
  })
  Bun.listen<FrameReader>({
    hostname, port: RESOLVER_PORT,
    socket: {
      open: (socket) => {
        socket.data = new FrameReader()
      },
      data(socket, chunk) {
        for (const one of socket.data.read(chunk)) socket.write(framed(outside(one)))
      },
    },
  })
}

