// Made-up messages of DNS, files of images, and files that an administrator writes.

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseLine } from '../../src/agent/http/log-lines.ts'
import { decodeParsed } from '../../src/api/codec/decode.ts'
import { parseJson } from '../../src/api/codec/json.ts'
import { encodeKnown, encodeWatchFrame } from '../../src/api/codec/protobuf-write.ts'
import type { AnyRow } from '../../src/api/resource.ts'
import { objectType } from '../../src/api/schema/schema.ts'
import { asAdmin } from '../../src/cli/admin.ts'
import { parseConfig, resolveSettings } from '../../src/daemon/config.ts'
import type { Role } from '../../src/daemon/options.ts'
import { loadRegistries } from '../../src/daemon/registries.ts'
import type { DnsView } from '../../src/dns/answer.ts'
import { FrameReader, framed } from '../../src/dns/frames.ts'
import { createResponder } from '../../src/dns/respond.ts'
import type { Random } from '../../src/lib/random.ts'
import { UserError } from '../../src/lib/user-error.ts'
import { parseTable } from '../../src/runtime/ctr.ts'
import { parseEvent } from '../../src/runtime/events.ts'
import { imageDetails, parseManifest } from '../../src/runtime/images/image-content.ts'
import { parseReference } from '../../src/runtime/images/reference.ts'
import { parseMountCommand } from '../../src/runtime/rootfs.ts'
import { resolveUser } from '../../src/runtime/spec/users.ts'
import { never } from '../support/node-http.ts'
import type { Seed } from './corpus.ts'
import { below, mutateBytes, mutateJson, mutateText, pick } from './fuzz-mutate.ts'
import { Found, notOurs, refused, type Target } from './fuzz-target.ts'

// ── DNS ──

const ZONE = { domain: 'cluster.local', address: '10.43.0.10' }
const VIEW: DnsView = {
  isComplete: true,
  service: (namespace, name) =>
    name === 'out'
      ? { metadata: { name, namespace }, spec: { type: 'ExternalName', externalName: 'a.example' } }
      : undefined,
  slices: () => [],
  hasNamespace: (name) => name === 'shop',
  serviceByIp: () => undefined,
  slicesByIp: () => [],
}

const dnsName = (name: string) =>
  Buffer.concat([
    ...name.split('.').map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`)),
    Buffer.from([0]),
  ])
const words = (...all: number[]) => Buffer.from(all.flatMap((word) => [word >> 8, word & 255]))

function dnsQuery(name: string, type: number, withEdns: boolean): Buffer {
  const edns = withEdns ? Buffer.from([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]) : Buffer.from('')
  const head = words(7, 0x0100, 1, 0, 0, withEdns ? 1 : 0)
  return Buffer.concat([head, dnsName(name), words(type, 1), edns])
}

const QUERIES = [
  dnsQuery('web.shop.svc.cluster.local', 1, true),
  dnsQuery('out.shop.svc.cluster.local', 28, false),
  dnsQuery('5.0.43.10.in-addr.arpa', 12, true),
  dnsQuery('1-2-3-4.shop.pod.cluster.local', 1, false),
  dnsQuery('example.org', 1, true),
]
/** What a resolver says of a.example: an alias, by a pointer, and its address. */
const REPLY = Buffer.concat([
  words(1, 0x8180, 1, 2, 1, 1),
  dnsName('a.example'),
  words(1, 1),
  words(0xc00c, 5, 1, 0, 60, 4),
  Buffer.from([1, 0x62, 0xc0, 0x0e]),
  words(0xc027, 1, 1, 0, 60, 4),
  Buffer.from([10, 0, 0, 1]),
  words(0xc00e, 6, 1, 0, 60, 24, 0xc00c, 0xc00c, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5),
  Buffer.from([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]),
])

/** A query by one transport, with what a resolver outside would answer. */
async function answerQuery(query: Uint8Array, outside: Uint8Array, over: 'udp' | 'tcp') {
  const forwarder = { ask: async () => outside }
  const respond = createResponder(ZONE, VIEW, forwarder)
  const asker = { over, address: '10.42.0.1' } as const
  const messages = over === 'udp' ? [query] : new FrameReader().read(framed(query))
  for (const message of messages) {
    const reply = await respond(message, asker, never)
    if (reply !== undefined && reply !== outside && reply.byteLength < 12) {
      throw new Found(`a reply of ${reply.byteLength} bytes`)
    }
  }
}

function dnsTargets(): Target[] {
  const over = (random: Random) => (random.next() < 0.5 ? 'udp' : 'tcp')
  return [
    {
      name: 'queries of DNS',
      make: (random) => {
        const query = mutateBytes(random, pick(random, QUERIES))
        const by = over(random)
        return { shown: shownBytes(query), run: () => answerQuery(query, REPLY, by) }
      },
    },
    {
      name: 'replies of resolvers',
      make: (random) => {
        const reply = mutateBytes(random, REPLY)
        const by = over(random)
        return { shown: shownBytes(reply), run: () => answerQuery(QUERIES[1]!, reply, by) }
      },
    },
    {
      name: 'DNS over TCP, in pieces',
      make: (random) => {
        const bytes = mutateBytes(random, Buffer.concat(QUERIES.map(framed)))
        const cuts = Array.from({ length: 5 }, () => below(random, bytes.length + 1)).sort(
          (a, b) => a - b,
        )
        const pieces = [0, ...cuts].map((from, i) => bytes.subarray(from, cuts[i]))
        return { shown: shownBytes(bytes), run: () => sameInPieces(bytes, pieces) }
      },
    },
  ]
}

/** However a connection is cut into pieces, the same messages come out. */
function sameInPieces(bytes: Uint8Array, pieces: readonly Uint8Array[]): void {
  const whole = new FrameReader().read(bytes)
  const reader = new FrameReader()
  const found = pieces.flatMap((piece) => reader.read(piece))
  if (JSON.stringify(found) !== JSON.stringify(whole)) throw new Found('other messages in pieces')
}

const shownBytes = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')

// ── Images, and what tools say of them ──

const DIGEST = `sha256:${'a'.repeat(64)}`
const MANIFEST = {
  schemaVersion: 2,
  config: { mediaType: 'a/b', digest: DIGEST, size: 1500 },
  layers: [{ mediaType: 'a/b', digest: DIGEST, size: 5000 }],
}
const INDEX = {
  manifests: [
    { digest: DIGEST, size: 500, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
    { digest: DIGEST, size: 500, platform: { os: 'linux', architecture: 'amd64' } },
  ],
}
const CONFIG = {
  config: {
    User: '1000:web',
    Env: ['PATH=/bin', 'A=b'],
    Entrypoint: ['/bin/sh'],
    Cmd: ['-c', 'x'],
    WorkingDir: '/srv',
    StopSignal: 'SIGQUIT',
    Volumes: { '/data': {} },
  },
  rootfs: { type: 'layers', diff_ids: [DIGEST, DIGEST] },
}
const PASSWD =
  'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000:Web:/home/web:/bin/sh\n1000:x:0:0::/:\n'
const GROUP = 'root:x:0:\nweb:x:1000:web\nmore:x:1001:web,root\n'

function readImage(manifest: unknown, config: unknown): void {
  const found = parseManifest(JSON.stringify(manifest), 'amd64')
  if ('config' in found) imageDetails(found, JSON.stringify(config))
}

function readUser(imageUser: string, passwd: string, group: string): void {
  const wish = { runAsUser: undefined, runAsGroup: undefined, groupsPolicy: undefined }
  const user = resolveUser({ ...wish, supplementalGroups: [], imageUser }, { passwd, group })
  const ids = [user.uid, user.gid, ...user.additionalGids]
  if (!ids.every((id) => Number.isInteger(id) && id >= 0 && id < 2 ** 31)) {
    throw new Found(`ids ${ids}`)
  }
}

const TEXTS: [string, string, (text: string) => unknown][] = [
  ['references of images', 'registry.example:5000/a/b:1.2@sha256:0123', parseReference],
  [
    'tables of ctr',
    'TASK    PID    STATUS\na-b     12     RUNNING\nc       0      STOPPED\n',
    parseTable,
  ],
  ['mounts of ctr', 'mount -t overlay overlay /t -o lowerdir=/a:/b,upperdir=/u', parseMountCommand],
  [
    'events of containerd',
    '2026-01-01 00:00:00.1 +0000 UTC kedge /tasks/exit {"container_id":"a","pid":7,"exit_status":1}',
    parseEvent,
  ],
  [
    'lines of logs',
    '2026-01-01T00:00:00.123456789Z stdout F hello',
    (text) => parseLine(Buffer.from(text)),
  ],
]

function imageTargets(): Target[] {
  return [
    {
      name: 'manifests and configurations of images',
      make: (random) => {
        const manifest = mutateJson(random, random.next() < 0.5 ? MANIFEST : INDEX)
        const config = mutateJson(random, CONFIG)
        const shown = JSON.stringify([manifest, config])
        const run = () => {
          refusedAt(() => readImage(manifest, CONFIG))
          refusedAt(() => readImage(MANIFEST, config))
        }
        return { shown, run }
      },
    },
    {
      name: 'accounts of images',
      make: (random) => {
        const user = mutateText(random, pick(random, ['web', '1000:web', 'root', '']), ['0', 'web'])
        const [passwd, group] = [PASSWD, GROUP].map((text) =>
          random.next() < 0.6 ? mutateText(random, text, [PASSWD, GROUP]) : text,
        )
        const shown = JSON.stringify([user, passwd, group])
        return { shown, run: () => refusedAt(() => readUser(user, passwd!, group!)) }
      },
    },
    ...TEXTS.map(([name, seed, run]) => ({
      name,
      make: (random: Random) => {
        const text = mutateText(random, seed, [seed])
        return { shown: JSON.stringify(text), run: () => refusedAt(() => run(text)) }
      },
    })),
  ]
}

function refusedAt(run: () => unknown): void {
  try {
    run()
  } catch (error) {
    notOurs(error)
  }
}

// ── Files of the administrator ──

const CONFIGURATION =
  'node-name: box1\ndata-dir: /var/lib/kedge\nhttps-listen-port: 6443\ntls-san: [a, b]\n' +
  'cluster-cidr: 10.42.0.0/16\nnode-ip: 10.0.0.1\nlog-level: info\ndisable-agent: false\n'
const REGISTRIES =
  'mirrors:\n  docker.io:\n    endpoint: ["https://mirror.example.com:5000"]\n' +
  '    rewrite: { "^library/(.*)": "public/$1" }\nconfigs:\n  "mirror.example.com:5000":\n' +
  '    auth: { username: me, password: secret }\n    tls: { insecure_skip_verify: true }\n'
const KUBECONFIG =
  'apiVersion: v1\nkind: Config\nclusters:\n- name: kedge\n  cluster:\n    server: https://127.0.0.1:6443\n' +
  '    certificate-authority-data: YQ==\nusers:\n- name: admin\n  user:\n' +
  '    client-certificate-data: YQ==\n    client-key-data: YQ==\n'

function readSettings(text: string, role: Role): void {
  resolveSettings(role, [{ settings: parseConfig(text, '/c'), where: (name) => `/c: ${name}` }])
}

/** A person is told in words what is wrong with his file, whatever it is. */
async function toldInWords(run: () => unknown): Promise<void> {
  try {
    await run()
  } catch (error) {
    if (!(error instanceof UserError)) throw new Found(`${(error as Error).stack}`)
  }
}

function fileTargets(folder: string): Target[] {
  const inFile = (text: string, run: (path: string) => unknown) => async () => {
    const path = join(folder, 'file')
    writeFileSync(path, text)
    await toldInWords(() => run(path))
    rmSync(path)
  }
  const target = (name: string, seed: string, run: (path: string) => unknown): Target => ({
    name,
    make: (random) => {
      const text = mutateText(random, seed, [seed, 'a: [b]\n'])
      return { shown: JSON.stringify(text), run: inFile(text, run) }
    },
  })
  return [
    {
      name: 'configuration',
      make: (random) => {
        const text = mutateText(random, CONFIGURATION, [CONFIGURATION, 'a: [b]\n'])
        const role = random.next() < 0.5 ? 'server' : 'agent'
        const run = () => toldInWords(() => readSettings(text, role))
        return { shown: JSON.stringify(text), run }
      },
    },
    target('registries.yaml', REGISTRIES, (path) => loadRegistries({ 'private-registry': path })),
    target('kubeconfig', KUBECONFIG, (path) => asAdmin(path, async () => {})),
  ]
}

// ── Watches in protobuf ──

/** One frame of a watch: its length, then a WatchEvent around the envelope of an object. */
function readWatchFrame(frame: Uint8Array, envelope: Uint8Array): void {
  const bytes = Buffer.from(frame)
  if (bytes.readUInt32BE(0) !== bytes.byteLength - 4) throw new Found('length of the frame')
  const [type, object] = [1, 2].reduce<{ parts: Buffer[]; rest: Buffer }>(
    ({ parts, rest }, number) => {
      const { part, after } = protobufPart(rest, number)
      return { parts: [...parts, part], rest: after }
    },
    { parts: [], rest: bytes.subarray(4) },
  ).parts
  const { part } = protobufPart(object!, 1)
  if (type!.toString() !== 'ADDED' || !part.equals(envelope)) throw new Found('another object')
}

/** The part with this number, which stands first, and what comes after it. */
function protobufPart(bytes: Buffer, number: number): { part: Buffer; after: Buffer } {
  if (bytes[0] !== number * 8 + 2) throw new Found(`no part ${number}`)
  let [length, at] = [0, 1]
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++] ?? 0
    length += (byte & 127) << shift
    if (byte < 128) break
  }
  return { part: bytes.subarray(at, at + length), after: bytes.subarray(at + length) }
}

export function watchTargets(seeds: readonly Seed[]): Target[] {
  return [
    {
      name: 'watches in protobuf',
      make: (random) => {
        const { row, object } = pick(random, seeds)
        const apiVersion = row.group === '' ? row.version : `${row.group}/${row.version}`
        const whole = { ...object, kind: row.kind, apiVersion }
        const text = JSON.stringify(mutateJson(random, whole))
        const run = () => refused(() => watched(text, row))
        return { shown: text, run }
      },
    },
  ]
}

/** Whatever is taken into the store can be told of in protobuf. */
function watched(text: string, row: AnyRow): void {
  const { object } = decodeParsed(parseJson(text), objectType(row.type))
  const apiVersion = row.group === '' ? row.version : `${row.group}/${row.version}`
  const envelope = encodeKnown({ ...object, kind: row.kind, apiVersion })
  if (envelope !== undefined) readWatchFrame(encodeWatchFrame('ADDED', envelope), envelope)
}

/** `folder` is for files that are read from where they lie. */
export function readerTargets(folder: string): Target[] {
  return [...dnsTargets(), ...imageTargets(), ...fileTargets(folder)]
}
