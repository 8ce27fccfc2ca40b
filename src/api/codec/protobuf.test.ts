// The bytes were written by Go (apimachinery's protobuf serializer) from the objects beside them.

import { expect, test } from 'bun:test'
import { typeOfKind } from '../schema/schema.ts'
import { decodeValue } from './decode.ts'
import { ProtobufError, readEnvelope, readEnvelopedBody, readMessage } from './protobuf-read.ts'
import { encodeEnvelope, encodeKnown, encodeWatchFrame } from './protobuf-write.ts'

type Vector = { object: object; hex: readonly string[] }

const VECTORS: readonly Vector[] = [
  {
    object: {
      metadata: { name: 'a' },
      data: { x: 'y', z: '' },
      binaryData: { b: 'QQ==' },
      immutable: false,
    },
    hex: [
      '6b3873000a0f0a0276311209436f6e6669674d6170122c0a110a016112001a0022002a0032003800',
      '420012060a017812017912050a017a12001a060a016212014120001a002200',
    ],
  },
  {
    object: {
      metadata: { name: 'a', creationTimestamp: '2026-01-02T03:04:05Z' },
      spec: {
        terminationGracePeriodSeconds: 0,
        volumes: [{ name: 'v', emptyDir: { sizeLimit: '1Gi' } }],
        containers: [
          {
            name: 'c',
            livenessProbe: { httpGet: { port: 'http' }, periodSeconds: 5 },
            resources: { limits: { cpu: '500m' } },
          },
        ],
      },
    },
    hex: [
      '6b3873000a090a0276311203506f6412ae010a190a016112001a0022002a0032003800420808a5eb',
      'dcca061000127c0a100a0176120b12090a0012050a03314769124a0a016312002a00420f0a0d0a03',
      '63707512060a043530306d52200a1412120a00120a080110001a04687474701a0022001000180020',
      '05280030006a007200800100880100900100a201001a002000320042004a00520058006000680082',
      '01008a01009a0100c201001a130a001a0022002a0032004a005a0072008801001a002200',
    ],
  },
  {
    object: { metadata: { name: 'a' }, spec: { ports: [{ port: 80, targetPort: 8080 }] } },
    hex: [
      '6b3873000a0d0a027631120753657276696365123c0a110a016112001a0022002a00320038004200',
      '12230a110a00120018502207080010903f1a0028001a0022003a00420052005a00600068001a020a',
      '001a002200',
    ],
  },
  {
    object: {
      metadata: { name: 'a' },
      spec: { renewTime: '2026-01-02T03:04:05.000007Z', leaseTransitions: 0 },
    },
    hex: [
      '6b3873000a1f0a16636f6f7264696e6174696f6e2e6b38732e696f2f763112054c6561736512220a',
      '110a016112001a0022002a00320038004200120d220908a5ebdcca0610d83628001a002200',
    ],
  },
  {
    object: { metadata: { name: 'a' }, data: { spec: { x: [1, null] } }, revision: -2 },
    hex: [
      '6b3873000a1d0a07617070732f76311212436f6e74726f6c6c65725265766973696f6e12390a110a',
      '016112001a0022002a0032003800420012190a177b2273706563223a7b2278223a5b312c6e756c6c',
      '5d7d7d18feffffffffffffffff011a002200',
    ],
  },
  {
    object: { spec: { token: 't' }, status: { user: { extra: { k: ['v', 'w'] } } } },
    hex: [
      '6b3873000a270a1861757468656e7469636174696f6e2e6b38732e696f2f7631120b546f6b656e52',
      '657669657712300a100a0012001a0022002a0032003800420012030a01741a17080012110a001200',
      '220b0a016b12060a01760a01771a001a002200',
    ],
  },
  {
    object: {
      spec: {
        group: 'g',
        names: { plural: 'p', kind: 'K' },
        scope: 'Cluster',
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: {
                type: 'object',
                properties: {
                  a: { type: 'array', items: { type: 'number', maximum: 1.5 } },
                  b: { type: 'object', additionalProperties: false },
                },
                additionalProperties: { type: 'string' },
              },
            },
          },
        ],
      },
    },
    hex: [
      '6b3873000a330a17617069657874656e73696f6e732e6b38732e696f2f76311218437573746f6d52',
      '65736f75726365446566696e6974696f6e12ad020a100a0012001a0022002a00320038004200128a',
      '020a01671a0a0a0170120022014b2a002207436c75737465723aed010a0276311001180122e0010a',
      'dd010a00120022002a066f626a65637432003a00500060007a00900100ea015a0a016112550a0012',
      '0022002a05617272617932003a00500060007a00900100c2012f0a2d0a00120022002a066e756d62',
      '657232003a0049000000000000f83f500060007a00900100a80200b80200c00200a80200b80200c0',
      '0200ea012e0a016212290a00120022002a066f626a65637432003a00500060007a00900100f20102',
      '0800a80200b80200c00200f20128080112240a00120022002a06737472696e6732003a0050006000',
      '7a00900100a80200b80200c00200a80200b80200c00200380050001a0c12080a00120022002a0020',
      '001a002200',
    ],
  },
]

const typeOf = ({ apiVersion, kind }: { apiVersion: string; kind: string }) => {
  const [version, group = ''] = apiVersion.split('/').reverse()
  return typeOfKind({ group, version: version!, kind })!
}

function read(bytes: Uint8Array) {
  const envelope = readEnvelope(bytes)
  const type = typeOf(envelope)
  return { envelope, type, ...decodeValue(readMessage(envelope.raw, type), type) }
}

test('protobuf becomes the object that JSON becomes', () => {
  for (const { object, hex } of VECTORS) {
    const found = read(Buffer.from(hex.join(''), 'hex'))
    expect(found.object).toEqual(decodeValue(structuredClone(object), found.type).object)
    expect(found.strictFaults).toEqual([])
  }
})

test('an object that was written is read again as it was', () => {
  for (const { object, hex } of VECTORS) {
    const { envelope, type } = read(Buffer.from(hex.join(''), 'hex'))
    const decoded = decodeValue(structuredClone(object), type).object
    const again = read(encodeEnvelope(decoded, type, envelope))
    expect(again.object).toEqual(decoded)
    expect(again.envelope.kind).toBe(envelope.kind)
    expect(again.envelope.apiVersion).toBe(envelope.apiVersion)
  }
})

test('a frame of a watch is its length, the type and the enveloped object', () => {
  const envelope = Buffer.from(VECTORS[0]!.hex.join(''), 'hex')
  const frame = Buffer.from(encodeWatchFrame('ADDED', envelope))
  expect(frame.readUInt32BE()).toBe(frame.length - 4)
  // Field 1 is the type; field 2 a RawExtension, whose field 1 is the envelope.
  const head = Buffer.concat([Buffer.from([0x0a, 5]), Buffer.from('ADDED')])
  expect(frame.subarray(4, 11)).toEqual(head)
  expect(frame.subarray(-envelope.length)).toEqual(envelope)
})

test('bytes that are no protobuf, or end too early, are refused', () => {
  expect(() => readEnvelope(Buffer.from('{}'))).toThrow(ProtobufError)
  const whole = Buffer.from(VECTORS[1]!.hex.join(''), 'hex')
  for (let length = 4; length < whole.length; length++) {
    const cut = whole.subarray(0, length)
    // A cut between two fields of the envelope is a whole envelope with less in it.
    let refused = false
    try {
      const envelope = readEnvelope(cut)
      refused = envelope.kind === '' || envelope.raw.length === 0 || length >= whole.length - 4
    } catch (error) {
      refused = error instanceof ProtobufError
    }
    expect([length, refused]).toEqual([length, true])
  }
})

test('a body says its kind, and one of another kind is read as what it is', () => {
  const body = Buffer.from(VECTORS[0]!.hex.join(''), 'hex')
  const configMap = { kind: 'ConfigMap', type: 'io.k8s.api.core.v1.ConfigMap' }
  const secret = { kind: 'Secret', type: 'io.k8s.api.core.v1.Secret' }
  for (const expected of [configMap, secret]) {
    const value = readEnvelopedBody(body, expected)
    expect(value).toMatchObject({ kind: 'ConfigMap', apiVersion: 'v1', data: { x: 'y' } })
  }
})

test('what has no form in protobuf is not written', () => {
  expect(encodeKnown({ kind: 'Table', apiVersion: 'meta.k8s.io/v1', rows: [] })).toBeUndefined()
  expect(encodeKnown({ kind: 'Widget', apiVersion: 'example.com/v1' })).toBeUndefined()
  const status = encodeKnown({ kind: 'Status', apiVersion: 'v1', code: 404 })!
  expect(read(status).object).toMatchObject({ code: 404 })
})

test('free data is written as Go writes it, so that clients may compare it byte by byte', () => {
  const data = { b: 'x<y>&z\u2028', a: 1 }
  const revision = { apiVersion: 'apps/v1', kind: 'ControllerRevision', metadata: {}, data }
  const text = Buffer.from(encodeKnown(revision)!).toString('latin1')
  expect(text).toContain('{"b":"x\\u003cy\\u003e\\u0026z\\u2028","a":1}')
})
