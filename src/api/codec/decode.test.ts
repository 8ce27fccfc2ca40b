// Expectations were read from Kubernetes 1.36.3.

import { expect, test } from 'bun:test'
import type { CustomResourceDefinition, Pod } from '../schema/generated/types.ts'
import { objectType } from '../schema/schema.ts'
import { DecodeError, decodeParsed, decodeValue } from './decode.ts'
import { parseJson } from './json.ts'

const TYPES = {
  ConfigMap: 'io.k8s.api.core.v1.ConfigMap',
  Pod: 'io.k8s.api.core.v1.Pod',
  Secret: 'io.k8s.api.core.v1.Secret',
  Role: 'io.k8s.api.rbac.v1.Role',
  Deployment: 'io.k8s.api.apps.v1.Deployment',
  CustomResourceDefinition:
    'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition',
} as const

const decode = (kind: keyof typeof TYPES, text: string) =>
  decodeParsed(parseJson(text), objectType(TYPES[kind]))

test('empty optional values and nulls are dropped, pointers to zero values stay', () => {
  const { object } = decode(
    'Pod',
    `{"metadata":{"name":"a","labels":{},"generateName":"","finalizers":[]},
      "spec":{"hostNetwork":false,"terminationGracePeriodSeconds":0,"nodeName":null,
        "enableServiceLinks":false,"securityContext":{},"volumes":[],
        "containers":[{"name":"a","stdin":false,"command":[],"securityContext":{}}]}}`,
  )
  expect(object).toEqual({
    metadata: { name: 'a' },
    spec: {
      terminationGracePeriodSeconds: 0,
      enableServiceLinks: false,
      securityContext: {},
      containers: [{ name: 'a', securityContext: {}, resources: {} }],
    },
    status: {},
  })
})

test('what Go always writes is added', () => {
  expect(decode('Deployment', '{}').object).toEqual({
    metadata: {},
    spec: {
      selector: null,
      template: { metadata: {}, spec: { containers: null } },
      strategy: {},
    },
    status: {},
  })
  expect(decode('Role', '{"metadata":{"name":"a"},"rules":[]}').object).toEqual({
    metadata: { name: 'a' },
    rules: null,
  })
})

test('null in a list or map stands for the zero value', () => {
  const text = '{"metadata":{"labels":{"a":null}},"data":{"b":null}}'
  expect(decode('ConfigMap', text).object).toEqual({
    metadata: { labels: { a: '' } },
    data: { b: '' },
  })
})

test('quantities, times and bytes become canonical', () => {
  const text = `{"metadata":{"creationTimestamp":"2026-01-02T03:04:05.6+02:00"},
    "spec":{"containers":[{"name":"a","resources":{"limits":{"cpu":0.5,"memory":"1024Mi"}}}]}}`
  const pod = decode('Pod', text).object as unknown as Pod
  expect(pod.metadata.creationTimestamp).toBe('2026-01-02T01:04:05Z')
  expect(pod.spec.containers[0]!.resources!.limits).toEqual({ cpu: '500m', memory: '1Gi' })
  expect(decode('Secret', '{"data":{"a":"AB==","b":"Q\\nQ=="}}').object.data).toEqual({
    a: 'AA==',
    b: 'QQ==',
  })
})

test('unknown and duplicate fields are dropped and told, with their paths', () => {
  const { object, strictFaults } = decode(
    'Pod',
    `{"foo":{"x":1,"x":2},"metadata":{"Name":"x","labels":{"a":"1","a":"2"}},"kind":"a","kind":"b",
      "spec":{"containers":[{"name":"a"},{"name":"b","foo":1,"name":"c"}]}}`,
  )
  expect(strictFaults).toEqual([
    'unknown field "foo"',
    'unknown field "metadata.Name"',
    'duplicate field "metadata.labels.a"',
    'duplicate field "kind"',
    'unknown field "spec.containers[1].foo"',
    'duplicate field "spec.containers[1].name"',
  ])
  expect(object.metadata).toEqual({ labels: { a: '2' } })
  expect(object).not.toHaveProperty('foo')
})

// kind, text, Go's message
const MISFITS: [keyof typeof TYPES, string, string][] = [
  [
    ...(['ConfigMap', '{"metadata":{"name":5}}'] as const),
    'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.name of type string',
  ],
  [
    ...(['ConfigMap', '{"data":[]}'] as const),
    'json: cannot unmarshal array into Go struct field ConfigMap.data of type map[string]string',
  ],
  [
    ...(['ConfigMap', '{"data":{"a":5}}'] as const),
    'json: cannot unmarshal number into Go struct field ConfigMap.data of type string',
  ],
  [
    ...(['ConfigMap', '{"metadata":[]}'] as const),
    'json: cannot unmarshal array into Go struct field ConfigMap.metadata of type v1.ObjectMeta',
  ],
  [
    ...(['Pod', '{"spec":{"containers":{}}}'] as const),
    'json: cannot unmarshal object into Go struct field PodSpec.spec.containers' +
      ' of type []v1.Container',
  ],
  [
    ...(['Pod', '{"spec":{"containers":[{"ports":[{"containerPort":80.5}]}]}}'] as const),
    'json: cannot unmarshal number 80.5 into Go struct field' +
      ' ContainerPort.spec.containers.ports.containerPort of type int32',
  ],
  [
    ...(['Pod', '{"spec":{"containers":[{"livenessProbe":{"httpGet":{"port":true}}}]}}'] as const),
    'json: cannot unmarshal bool into Go struct field' +
      ' HTTPGetAction.spec.containers.livenessProbe.ProbeHandler.httpGet.port of type int32',
  ],
  [
    ...(['Pod', '{"spec":{"restartPolicy":1,"hostNetwork":"x"}}'] as const),
    'json: cannot unmarshal number into Go struct field PodSpec.spec.restartPolicy' +
      ' of type v1.RestartPolicy',
  ],
  ['ConfigMap', '{"binaryData":{"a":"!"}}', 'illegal base64 data at input byte 0'],
  [
    ...(['ConfigMap', '{"metadata":{"name":5,"creationTimestamp":"x"}}'] as const),
    'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"',
  ],
]

test('a value that does not fit is refused with the words of Go', () => {
  for (const [kind, text, message] of MISFITS) {
    expect(() => decode(kind, text)).toThrow(new DecodeError(message))
  }
})

test('a schema may hold itself, a boolean or a list where Go allows it', () => {
  const schema = {
    type: 'object',
    properties: { a: { type: 'array', items: { type: 'string' } } },
    additionalProperties: false,
  }
  const versions = [{ name: 'v1', schema: { openAPIV3Schema: schema } }]
  const { object } = decodeValue(
    { spec: { versions: structuredClone(versions) } },
    objectType(TYPES.CustomResourceDefinition),
  )
  const definition = object as unknown as CustomResourceDefinition
  expect(definition.spec.versions[0]!.schema!.openAPIV3Schema).toEqual(schema)
})

test('a key that names the prototype is a key like any other', () => {
  const { object } = decode('ConfigMap', '{"data":{"__proto__":"a","constructor":null}}')
  expect(JSON.stringify(object.data)).toBe('{"__proto__":"a","constructor":""}')
})

test('a field of a patched object that is undefined is a field left out', () => {
  const object = { metadata: { name: 'a', labels: undefined }, data: undefined }
  expect(decodeValue(object, objectType(TYPES.ConfigMap)).object).toEqual({
    metadata: { name: 'a' },
  })
  expect(Object.keys(object)).toEqual(['metadata'])
})
