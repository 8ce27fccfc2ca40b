// Everything that reads what a person sent, with inputs of any size that are hard on it. A new parser
// is a line here.

import { credentialsFor } from '../../src/agent/workers/credentials.ts'
import { decodeParsed } from '../../src/api/codec/decode.ts'
import { duplicatePaths, parseJson } from '../../src/api/codec/json.ts'
import { readEnvelopedBody } from '../../src/api/codec/protobuf-read.ts'
import { parseDuration } from '../../src/api/duration.ts'
import { parseFieldSelector } from '../../src/api/field-selector.ts'
import { requestFault } from '../../src/api/kinds/certificates/certificatesigningrequest/pkcs10.ts'
import { configMaps } from '../../src/api/kinds/core/configmap/row.ts'
import {
  configKeyFaults,
  dnsLabelFaults,
  dnsSubdomainFaults,
  environmentNameFaults,
  labelValueFaults,
  portNameFaults,
  qualifiedNameFaults,
} from '../../src/api/names.ts'
import { applyConfiguration } from '../../src/api/patch/apply/apply.ts'
import { applyPatch, type PatchType } from '../../src/api/patch/patch.ts'
import { imageTag } from '../../src/api/pod/images.ts'
import { overlapWarnings } from '../../src/api/pod/overlaps.ts'
import { unifiedDiff } from '../../src/api/pod/unified-diff.ts'
import { canonicalQuantity } from '../../src/api/quantity.ts'
import { objectType } from '../../src/api/schema/schema.ts'
import { matchesLabels, parseLabelSelector } from '../../src/api/selector.ts'
import { canonicalTime } from '../../src/api/time.ts'
import { parseConfig } from '../../src/daemon/config.ts'
import { parseCidr, parseIp } from '../../src/lib/ip.ts'
import { pemBlocks } from '../../src/lib/pem.ts'
import { parseReference } from '../../src/runtime/images/reference.ts'
import { decodeContinue } from '../../src/server/objects/verbs/continue-token.ts'
import { negotiateOutput } from '../../src/server/request/negotiation.ts'
import { Query } from '../../src/server/request/query.ts'
import { requestInfo } from '../../src/server/request/request-info.ts'
import { parseYaml } from '../../src/server/response/yaml.ts'
import type { Call } from '../../src/server/transport/call.ts'
import type { Work } from './growth.ts'

const times = (count: number, text: string | ((i: number) => string)) =>
  typeof text === 'string'
    ? text.repeat(count)
    : Array.from({ length: count }, (_, i) => text(i)).join('')
const list = <T>(count: number, item: (i: number) => T) =>
  Array.from({ length: count }, (_, i) => item(i))

/** Texts for one reader of text, by what is hard about them. */
function texts(
  name: string,
  run: (text: string) => unknown,
  size: number,
  makes: Record<string, (size: number) => string>,
): [string, Work<string>][] {
  return Object.entries(makes).map(([what, make]) => [`${name}: ${what}`, { make, run, size }])
}

const POD_SPEC = objectType('io.k8s.api.core.v1.PodSpec')
const CONFIG_MAP = objectType('io.k8s.api.core.v1.ConfigMap')
const META = objectType('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta')

type Patch = { live: object; body: unknown }
const patches = (
  name: string,
  type: PatchType,
  size: number,
  make: (size: number) => Patch,
  of = POD_SPEC,
): [string, Work<Patch>] => [
  `${type} patch: ${name}`,
  { size, make, run: ({ live, body }) => applyPatch({ type, live, body, objectType: of }) },
]

const named = (count: number, more: object = {}) => list(count, (i) => ({ name: `c${i}`, ...more }))
const ops = (count: number, op: (i: number) => object) => list(count, op)

const JSON_TEXTS = texts('JSON', (text) => duplicatePaths(parseJson(text)), 50_000, {
  'repeated names': (n) => `{${times(n, '"a":1,')}"a":1}`,
  'names repeated deep down': (n) => {
    const depth = Math.min(n / 20, 9000)
    return `${times(depth, '{"abcdefgh":')}{${times(n, '"a":1,')}"a":1}${times(depth, '}')}`
  },
  backslashes: (n) => `{"a":"${times(n, '\\\\')}\\""}`,
  'long numbers': (n) => `[${times(n, '123456789012345678901234567890,')}1]`,
  'one long number': (n) => `[${times(n, '1')}]`,
  exponents: (n) => `[${times(n, '1e9,')}1]`,
  'what is no JSON': (n) => `[${times(n, '1,')}`,
  'white space': (n) => `[${times(n, ' ')}1.0${times(n, '\n')}]`,
  brackets: (n) => times(n, '['),
})

const YAML_TEXTS = texts('YAML', parseYaml, 20_000, {
  'repeated keys': (n) => times(n, 'a: 1\n'),
  aliases: (n) => `a: &a [x]\nb:\n${times(n, ' - *a\n')}`,
  'aliases of a long text': (n) => `a: &a ${times(n, 'x')}\nb:\n${times(n / 6, ' - *a\n')}`,
  'aliases of aliases': (n) =>
    `a0: &a0 [x]\n${times(n / 100, (i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]\n`)}`,
  merges: (n) =>
    `a: &a {${times(n / 10, (i) => `k${i}: 1,`)}}\nb:\n${times(n / 10, ' - {<<: *a}\n')}`,
  'open brackets': (n) => times(n, '['),
  'pairs in lists': (n) => `${times(900, '[')}${times(n, 'a,')}${times(900, '] : 1')}`,
  properties: (n) => `${times(n, '&a\n')}x`,
  tags: (n) => `${times(n, '!!str\n&b\n')}{${times(n, 'a,')}}`,
  'explicit keys': (n) => times(n, '? a\n'),
  'blank lines': (n) => `a: |\n${times(n, '\n')} b`,
  'folded lines': (n) => `a: >\n${times(n, ' b\n\n')}`,
  'quoted lines': (n) => `a: "${times(n, 'b \n ')}"`,
  comments: (n) => `${times(n, '# c\n')}a: 1`,
  documents: (n) => times(n, '---\na: 1\n'),
  directives: (n) => `${times(n, (i) => `%TAG !a${i}! x:\n`)}--- a`,
  anchors: (n) => times(n, (i) => `- &a${i} x\n`),
  'what is no YAML': (n) => `${times(n, 'a: 1\n')}\tb`,
  'white space': (n) => `{a${times(n, ' ')}:${times(n, ' ')}b}`,
  numbers: (n) => `a: ${times(n, '1_')}x`,
})

const PATCHES = [
  patches('copies', 'json', 2000, (n) => ({
    live: { a: list(100, String) },
    body: ops(n, (i) => ({ op: 'copy', from: '/a', path: `/b${i}` })),
  })),
  patches('copies of copies', 'json', 24, (n) => ({
    live: { a: { b: 'x' } },
    body: ops(n, (i) => ({ op: 'copy', from: '/a', path: `/a/c${i}` })),
  })),
  patches('moves of a large part', 'json', 2000, (n) => ({
    live: { a: list(5000, String) },
    body: ops(n, (i) => ({ op: 'move', from: i % 2 ? '/b' : '/a', path: i % 2 ? '/a' : '/b' })),
  })),
  patches('insertions at the front', 'json', 2000, (n) => ({
    live: { a: list(n * 100, () => 0) },
    body: ops(n, () => ({ op: 'add', path: '/a/0', value: 1 })),
  })),
  patches('removals at the front', 'json', 2000, (n) => ({
    live: { a: list(n * 100, () => 0) },
    body: ops(n, () => ({ op: 'remove', path: '/a/0' })),
  })),
  patches('tests of a large map', 'json', 2000, (n) => ({
    live: { a: Object.fromEntries(list(n * 10, (i) => [`k${i}`, i])) },
    body: ops(n, () => ({ op: 'test', path: '/a', value: {} })),
  })),
  patches('long paths', 'json', 200, (n) => ({
    live: {},
    body: ops(n, () => ({ op: 'test', path: times(n, '/a'), value: null })),
  })),
  patches('many keys', 'merge', 20_000, (n) => ({
    live: Object.fromEntries(list(n, (i) => [`k${i}`, i])),
    body: Object.fromEntries(list(n, (i) => [`k${i}`, null])),
  })),
  patches('items by key', 'strategic', 5000, (n) => ({
    live: { containers: named(n) },
    body: { containers: named(n, { image: 'a' }) },
  })),
  patches('items deleted by key', 'strategic', 5000, (n) => ({
    live: { containers: named(n) },
    body: { containers: named(n, { $patch: 'delete' }) },
  })),
  patches('items in an order', 'strategic', 5000, (n) => ({
    live: { containers: named(n) },
    body: {
      containers: named(n, { image: 'a' }),
      '$setElementOrder/containers': named(n).toReversed(),
    },
  })),
  patches(
    'scalars',
    'strategic',
    10_000,
    (n) => ({
      live: { finalizers: list(n, (i) => `a${i}`) },
      body: {
        finalizers: list(n, (i) => `b${i}`),
        '$deleteFromPrimitiveList/finalizers': list(n, (i) => `a${i}`),
      },
    }),
    META,
  ),
]

const apply = (spec: object, live: object | undefined) =>
  applyConfiguration({
    manager: 'm',
    apiVersion: 'v1',
    subresource: '',
    nowMs: 0,
    force: true,
    live: live as never,
    config: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, spec },
    kind: 'Pod',
    objectType: objectType('io.k8s.api.core.v1.Pod'),
  } as never)

const APPLIED: [string, Work<object>][] = [
  [
    'apply: items by key',
    {
      size: 2000,
      make: (n) => ({ containers: named(n) }),
      run: (spec) => apply(spec, (apply(spec, undefined) as { object: object }).object),
    },
  ],
]

const SHORT_TEXTS = [
  ...texts('label selector', parseLabelSelector, 20_000, {
    values: (n) => `a in (${times(n, 'b,')}b)`,
    'distinct values': (n) => `a in (${times(n, (i) => `b${i},`)}b)`,
    keys: (n) => `${times(n, 'a,')}a`,
    'what is none': (n) => times(n, '!'),
    'long words': (n) => times(n, 'a'),
  }),
  ...texts('field selector', parseFieldSelector, 50_000, {
    terms: (n) => times(n, 'a=b,'),
    escapes: (n) => `a=${times(n, '\\,')}`,
    'what is none': (n) => times(n, ','),
  }),
  ...texts('names', allNames, 50_000, {
    letters: (n) => times(n, 'a'),
    dashes: (n) => `a${times(n, '-')}.`,
    dots: (n) => times(n, 'a.'),
    'two letters': (n) => times(n, 'a-'),
    slashes: (n) => times(n, 'a/'),
    'other letters': (n) => times(n, 'ä'),
  }),
  ...texts('quantity', canonicalQuantity, 20_000, {
    digits: (n) => times(n, '1'),
    zeros: (n) => `${times(n, '0')}1`,
    fraction: (n) => `0.${times(n, '1')}`,
    exponent: (n) => `1e${times(n, '1')}`,
    'what is none': (n) => `${times(n, '1')}x`,
  }),
  ...texts('duration', parseDuration, 50_000, {
    parts: (n) => times(n, '1s'),
    digits: (n) => times(n, '1'),
    units: (n) => `1${times(n, 's')}`,
  }),
  ...texts('time', (text) => canonicalTime(text, 'time'), 50_000, {
    digits: (n) => `2026-01-01T00:00:00.${times(n, '1')}Z`,
    'what is none': (n) => times(n, '2026-'),
  }),
  ...texts('address', (text) => [parseIp(text), parseCidr(text)], 50_000, {
    numbers: (n) => times(n, '1.'),
    colons: (n) => times(n, ':'),
    groups: (n) => times(n, '1:'),
    slashes: (n) => times(n, '/'),
  }),
  ...texts('PEM', (text) => [...pemBlocks(text)], 20_000, {
    beginnings: (n) => times(n, '-----BEGIN A-----\n'),
    'beginnings and ends of others': (n) => times(n, '-----BEGIN A-----\n-----END B-----\n'),
    'a long label': (n) => `-----BEGIN ${times(n, 'A')}\n`,
    dashes: (n) => times(n, '-'),
  }),
  ...texts('request for a certificate', (text) => requestFault(btoa(text)), 20_000, {
    beginnings: (n) => times(n, '-----BEGIN A-----\n'),
    'nested parts': (n) =>
      `-----BEGIN CERTIFICATE REQUEST-----\n${btoa(times(n, '0\x80'))}\n-----END CERTIFICATE REQUEST-----\n`,
  }),
  ...texts('image', imageTag, 20_000, {
    parts: (n) => times(n, 'a/'),
    separators: (n) => `${times(n, 'a-')}-`,
    underscores: (n) => `a${times(n, '_')}`,
    colons: (n) => times(n, 'a:'),
    ats: (n) => times(n, 'a@'),
    'a long host': (n) => `${times(n, 'A')}/a`,
    'dots in a host': (n) => `${times(n, 'a.')}/a`,
  }),
  ...texts('image, in full', parseReference, 20_000, {
    'words of a digest': (n) => `a@${times(n, 'a2')}:1`,
    'parts of a digest': (n) => `a@${times(n, 'a+')}:1`,
    separators: (n) => `${times(n, 'a-')}-`,
    'a long host': (n) => `${times(n, 'A')}/a`,
    'dots in a host': (n) => `${times(n, 'a.')}!/a`,
    ports: (n) => `a:${times(n, '1')}!/a`,
  }),
  ...texts('configuration', (text) => parseConfig(text, '/c'), 5000, {
    'a key that is none': (n) => `${times(n, 'a')}: 1`,
  }),
  ...texts('paths in a volume', overlapsOf, 50_000, {
    slashes: (n) => `a${times(n, '/')}a`,
    parts: (n) => times(n, 'a/'),
  }),
  ...texts('Accept', (accept) => negotiateOutput(callWith(accept)), 10_000, {
    clauses: (n) => times(n, 'a/b,'),
    parameters: (n) => `a/b${times(n, ';c=d')}`,
    'white space': (n) => `a/b${times(n, ' ')};${times(n, ' ')}c`,
  }),
  ...texts('query', (text) => new Query(text).get('a'), 50_000, {
    pairs: (n) => times(n, 'b=c&'),
    'one name': (n) => times(n, 'a=c&'),
    percents: (n) => `a=${times(n, '%20')}`,
  }),
  ...texts('path', (text) => requestInfo('GET', text, new Query('')), 50_000, {
    slashes: (n) => `/api/v1${times(n, '/')}a`,
    parts: (n) => `/api/v1/namespaces${times(n, '/a')}`,
  }),
  ...texts(
    'field selector of a path',
    (text) => requestInfo('GET', '/api/v1/pods', new Query(`fieldSelector=${text}`)),
    20_000,
    {
      terms: (n) => times(n, 'metadata.name,'),
      names: (n) => `metadata.name=${times(n, 'a')}`,
      spaces: (n) => `metadata.name=a${times(n, '+')}`,
    },
  ),
  ...texts(
    'continue token',
    (text) => decodeContinue('pods/', Buffer.from(text).toString('base64url')),
    20_000,
    {
      slashes: (n) => `{"v":"meta.k8s.io/v1","rv":1,"start":"${times(n, '/a')}"}`,
      dots: (n) => `{"v":"meta.k8s.io/v1","rv":1,"start":"${times(n, '/..a')}"}`,
    },
  ),
]

const OTHERS: [string, Work<never>][] = [
  [
    'protobuf: nested and repeated messages',
    {
      size: 10_000,
      make: (n: number) =>
        Buffer.concat([Buffer.from('k8s\0'), Buffer.from(times(n, '\x12\x04\x0a\x02aa'))]),
      run: (bytes: Uint8Array) => readEnvelopedBody(bytes, configMaps),
    },
  ],
  [
    'credentials of a registry: globs',
    {
      size: 200,
      make: (n: number) => ({
        image: `${times(60, 'a')}.example.com/x`,
        secret: secretOf(
          Object.fromEntries(
            list(n, (i) => [`${times(30, '*a')}*b${i}.example.com`, { auth: 'YTpi' }]),
          ),
        ),
      }),
      run: ({ image, secret }: { image: string; secret: never }) => credentialsFor(image, [secret]),
    },
  ],
  [
    'a selector against labels',
    {
      size: 20_000,
      make: (n: number) => [
        parseLabelSelector(`a in (${times(n, (i) => `b${i},`)}b)`),
        Object.fromEntries(list(n, (i) => [`k${i}`, 'v'])),
      ],
      run: ([selector, labels]: [never, never]) => matchesLabels(selector, labels),
    },
  ],
  [
    'the difference of two pods',
    {
      size: 300,
      make: (n: number) => [times(n, (i) => `a${i}\n`), times(n, (i) => `b${i}\n`)],
      run: ([before, after]: [string, string]) => unifiedDiff(before, after),
    },
  ],
  [
    'an object with unknown fields',
    {
      size: 20_000,
      make: (n: number) =>
        `{"data":{${times(n, (i) => `"k${i}":"v",`)}"a":"b"},${times(n, (i) => `"u${i}":1,`)}"x":1}`,
      run: (text: string) => decodeParsed(parseJson(text), CONFIG_MAP),
    },
  ],
  [
    'base64 that is none',
    {
      size: 50_000,
      make: (n: number) =>
        JSON.stringify({ binaryData: { a: times(n, 'QUJD\n='), b: times(n, 'A===') } }),
      run: (text: string) => decodeParsed(parseJson(text), CONFIG_MAP),
    },
  ],
] as never

export const CASES: [string, Work<unknown>][] = [
  ...[...JSON_TEXTS, ...YAML_TEXTS, ...PATCHES, ...APPLIED, ...SHORT_TEXTS, ...OTHERS],
] as never

function overlapsOf(path: string) {
  const items = [{ key: 'a', path }]
  return overlapWarnings([{ name: 'v', configMap: { name: 'c', items } }])
}

function allNames(text: string) {
  const rules = [configKeyFaults, dnsLabelFaults, dnsSubdomainFaults, environmentNameFaults]
  return [...rules, labelValueFaults, portNameFaults, qualifiedNameFaults].map((rule) => rule(text))
}

function callWith(accept: string): Call {
  const header = (name: string) => (name === 'accept' ? accept : undefined)
  return { header, query: new Query('') } as Call
}

function secretOf(auths: object) {
  const data = { '.dockerconfigjson': btoa(JSON.stringify({ auths })) }
  return { type: 'kubernetes.io/dockerconfigjson', metadata: {}, data } as never
}
