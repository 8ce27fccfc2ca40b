// What made-up input is thrown at: the API server as a whole, and each reader alone.

import { decodeParsed } from '../../src/api/codec/decode.ts'
import { parseJson } from '../../src/api/codec/json.ts'
import { readEnvelopedBody } from '../../src/api/codec/protobuf-read.ts'
import { encodeKnown } from '../../src/api/codec/protobuf-write.ts'
import { requestFault } from '../../src/api/kinds/certificates/certificatesigningrequest/pkcs10.ts'
import { objectType } from '../../src/api/schema/schema.ts'
import { ByteReader } from '../../src/lib/net/byte-reader.ts'
import { bodyOf, readHead } from '../../src/lib/net/http1.ts'
import type { Random } from '../../src/lib/random.ts'
import { parseYaml } from '../../src/server/response/yaml.ts'
import type { CaseRequest } from '../compare/requests.ts'
import type { TestServer } from '../support/server.ts'
import { NAMESPACE, oneOfEachKind, recordedRequests } from './corpus.ts'
import { readerTargets, watchTargets } from './fuzz-files.ts'
import { mutateBytes, mutateJson, mutateText } from './fuzz-mutate.ts'
import { Found, refused, type Target } from './fuzz-target.ts'
import { wireTargets } from './fuzz-wire.ts'
import { CASES } from './growth-cases.ts'

/** `folder` is for files that are read from where they lie. */
export function targets(server: TestServer, folder: string): Target[] {
  return [
    ...requestTargets(server),
    ...textTargets(),
    ...bodyTargets(),
    ...frameTargets(),
    ...wireTargets(),
    ...readerTargets(folder),
    ...watchTargets(oneOfEachKind()),
  ]
}

function requestTargets(server: TestServer): Target[] {
  // A watch lasts; everything else is over at once.
  const seeds = recordedRequests().filter(({ target }) => !/watch|follow/.test(target))
  const targetsOf = seeds.map(({ target }) => target)
  const make = (random: Random) => {
    const seed = seeds[Math.floor(random.next() * seeds.length)]!
    const request = mutateRequest(random, seed, targetsOf)
    return { shown: JSON.stringify(request), run: () => send(server, request) }
  }
  // Requests are most of what there is to try.
  return Array.from({ length: 12 }, () => ({ name: 'requests', make }))
}

type Sent = Pick<CaseRequest, 'method' | 'target' | 'headers' | 'body'>

function mutateRequest(random: Random, seed: Sent, others: readonly string[]): Sent {
  const { method, target, headers, body } = seed
  const chance = random.next()
  if (chance < 0.6 && body !== '')
    return { method, target, headers, body: mutateBody(random, body) }
  if (chance < 0.75) return { method, target: mutateText(random, target, others), headers, body }
  if (chance < 0.85) {
    const value = mutateText(random, headers['Content-Type'] ?? 'application/json', ['a/b'])
    const name = random.next() < 0.5 ? 'Content-Type' : 'Accept'
    return { method, target, headers: { ...headers, [name]: value }, body }
  }
  if (chance < 0.95) return { ...seed, body: mutateText(random, body, others) }
  const methods = ['GET', 'PUT', 'POST', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']
  return { ...seed, method: methods[Math.floor(random.next() * methods.length)]! }
}

function mutateBody(random: Random, body: string): string {
  try {
    return JSON.stringify(mutateJson(random, parseYaml(body).value))
  } catch {
    return mutateText(random, body, [body])
  }
}

async function send(server: TestServer, { method, target, headers, body }: Sent): Promise<void> {
  const url = sendable(target)
  // A pod without its account waits for it, and a mutated target may ask for a watch after all.
  if (
    url === undefined ||
    /watch|follow/.test(decodeURIComponent(url.replace(/%(?![0-9a-f]{2})/gi, '')))
  )
    return
  const hasBody = method !== 'GET' && method !== 'HEAD'
  const sent = Object.entries(headers).filter(([, value]) => isHeader(value))
  const answer = await server.call(method, url, {
    headers: Object.fromEntries(sent),
    ...(hasBody && body !== '' ? { body } : {}),
  })
  if (answer.code === 500 && answer.text.includes('Internal error occurred')) {
    throw new Found(answer.text.slice(0, 500))
  }
}

/** What a client can put into a request line. */
function sendable(target: string): string | undefined {
  const path = target.startsWith('/') ? target : `/${target}`
  const url = path.replace(/[^!-~]/g, (sign) =>
    encodeURIComponent(sign.isWellFormed() ? sign : '?'),
  )
  try {
    new URL(`http://test${url}`)
    decodeURIComponent(url)
    return url
  } catch {
    return undefined
  }
}

const isHeader = (value: string) => /^[\t -~]*$/.test(value)

/** Readers of text, with the inputs that they find hard. */
function textTargets(): Target[] {
  return CASES.flatMap(([name, { make, run, size }]) => {
    const seed = make(Math.min(size, 40))
    if (typeof seed !== 'string') return []
    return [
      {
        name,
        make: (random: Random) => {
          const text = mutateText(random, seed, [seed, '{"a":1}', 'a: [b]'])
          return { shown: JSON.stringify(text), run: () => refused(() => run(text)) }
        },
      },
    ]
  })
}

function bodyTargets(): Target[] {
  return oneOfEachKind().map(({ row, object }) => {
    const type = objectType(row.type)
    const whole = { ...object, kind: row.kind, apiVersion: apiVersionOf(row) }
    const bytes = encodeKnown(whole)
    return {
      name: `bodies of ${row.plural}`,
      make: (random: Random) => {
        if (bytes !== undefined && random.next() < 0.5) {
          const mutated = mutateBytes(random, bytes)
          const shown = Buffer.from(mutated).toString('base64')
          const run = () =>
            refused(() =>
              decodeParsed({ value: readEnvelopedBody(mutated, row), repeated: undefined }, type),
            )
          return { shown, run }
        }
        const text = JSON.stringify(mutateJson(random, whole))
        return { shown: text, run: () => refused(() => decodeParsed(parseJson(text), type)) }
      },
    }
  })
}

const apiVersionOf = ({ group, version }: { group: string; version: string }) =>
  group === '' ? version : `${group}/${version}`

const HEADS = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'GET /exec/a/b/c?command=x HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nA: b\r\n c\r\n\r\n\x81\x05hello',
]
const REQUEST_DER = Buffer.from(
  'MIHSMHoCAQAwGDEKMAgGA1UECgwBZzEKMAgGA1UEAwwBdTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABFM=',
  'base64',
)

function frameTargets(): Target[] {
  return [
    {
      name: 'HTTP/1.1 from a node or a pod',
      make: (random) => {
        const seed = HEADS[Math.floor(random.next() * HEADS.length)]!
        const text = mutateText(random, seed, HEADS)
        return { shown: JSON.stringify(text), run: () => refused(() => readAnswer(text)) }
      },
    },
    {
      name: 'requests for certificates',
      make: (random) => {
        const der = Buffer.from(mutateBytes(random, REQUEST_DER)).toString('base64')
        const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${der}\n-----END CERTIFICATE REQUEST-----\n`
        return { shown: pem, run: () => refused(() => requestFault(btoa(pem))) }
      },
    },
  ]
}

async function readAnswer(text: string): Promise<void> {
  const stream = new Response(Buffer.from(text, 'latin1')).body!
  const reader = new ByteReader(stream as ReadableStream<Uint8Array>)
  const head = await readHead(reader)
  if (head === undefined) return
  await new Response(bodyOf(head, reader, 'GET')).arrayBuffer()
}

export async function prepare(server: TestServer): Promise<void> {
  const body = { metadata: { name: 'default' } }
  await server.call('POST', `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`, { body })
}
