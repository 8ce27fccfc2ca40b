import { expect, test } from 'bun:test'
import type { Secret } from '../../../schema/generated/types.ts'
import { FieldErrors } from '../../../validation/field-errors.ts'
import { checkSecret, mergeStringData } from './validation.ts'

const secret = (fields: object) =>
  ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's' },
    type: 'Opaque',
    ...fields,
  }) as Secret

function faultsOf(object: Secret, old?: Secret): string[] {
  const faults = new FieldErrors()
  checkSecret(faults, object, old)
  return faults.list.map(({ field, message }) => `${field}: ${message}`)
}

test('text becomes data and wins over it', () => {
  const object = secret({ data: { a: 'eA==', b: 'eQ==' }, stringData: { a: 'z' } })
  mergeStringData(object)
  expect(object.data).toEqual({ a: 'eg==', b: 'eQ==' })
  expect(object.stringData).toBeUndefined()
})

test('a mebibyte is enough', () => {
  const data = { a: Buffer.alloc(1024 * 1024 + 1).toString('base64') }
  expect(faultsOf(secret({ data }))).toEqual(['data: Too long: may not be more than 1048576 bytes'])
})

test('the type of a secret is for good', () => {
  expect(faultsOf(secret({ type: 'a/b' }), secret({ type: 'a/c' }))).toEqual([
    'type: Invalid value: "a/b": field is immutable',
  ])
})

test('contents never stand in a refusal', () => {
  const data = { '.dockerconfigjson': Buffer.from('{"x": sesame').toString('base64') }
  const [fault = ''] = faultsOf(secret({ type: 'kubernetes.io/dockerconfigjson', data }))
  expect(fault).toContain('<secret contents redacted>')
  expect(fault).not.toContain('sesame')
})
