import { expect, test } from 'bun:test'
import { controllerRevisions } from '../../api/kinds/apps/controllerrevision/row.ts'
import { configMaps } from '../../api/kinds/core/configmap/row.ts'
import type { AnyObject } from '../../api/object.ts'
import type { AnyRow } from '../../api/resource.ts'
import {
  decodeMetadata,
  decodeStored,
  encodeStored,
  itemText,
  keyPart,
  objectText,
} from './stored.ts'

const row = configMaps as unknown as AnyRow

function stored(object: object) {
  const value = encodeStored(row, object as AnyObject)
  return { key: 'configmaps/default/a', value, created: 3, revision: 7 }
}

const object = {
  kind: 'ConfigMap',
  apiVersion: 'v1',
  metadata: { resourceVersion: '5', name: 'a', namespace: 'default', labels: { x: 'y' } },
  data: { k: '}"]\\' },
}
const now = { ...object, metadata: { ...object.metadata, resourceVersion: '7' } }

test('an object is stored without its revision, and read with that of its entry', () => {
  const entry = stored(object)
  expect(entry.value).not.toContain('resourceVersion')
  expect(decodeStored(row, entry)).toEqual(now as AnyObject)
  expect(JSON.parse(objectText(row, entry))).toEqual(now)
  const { kind: _kind, apiVersion: _version, ...item } = now
  expect(JSON.parse(itemText(row, entry))).toEqual(item)
})

test('metadata is read alone, whatever stands in its strings', () => {
  const hard = ['"', '\\', '\\\\', '\\"', '{', '}', '}"', '"}', '\\"}', '€', '\n', '', 'a"b\\"c}{']
  for (const text of hard) {
    const annotations = { [`k${text}`]: text, last: text }
    const metadata = { name: 'a', annotations, labels: { x: 'y' }, finalizers: [text] }
    const entry = stored({ ...object, metadata, data: { k: text } })
    expect(decodeMetadata(row, entry)).toEqual(metadata)
  }
})

test('what clients compare as text is answered as Go writes it', () => {
  const revisions = controllerRevisions as unknown as AnyRow
  const metadata = { name: 'a', annotations: { a: '<' } }
  const revision = {
    kind: 'ControllerRevision',
    apiVersion: 'apps/v1',
    metadata,
    data: { a: '<&>' },
  }
  const value = encodeStored(revisions, revision as AnyObject)
  const entry = { key: 'controllerrevisions/default/a', value, created: 3, revision: 7 }
  const data = '"data":{"a":"\\u003c\\u0026\\u003e"}'
  for (const text of [objectText(revisions, entry), itemText(revisions, entry)]) {
    expect(text).toContain(data)
  }
  expect(decodeStored(revisions, entry)).toMatchObject(revision)
})

test('an object that is nothing but metadata is read too', () => {
  const metadata = { name: 'a' }
  const entry = stored({ kind: 'ConfigMap', apiVersion: 'v1', metadata })
  expect(decodeMetadata(row, entry)).toEqual(metadata)
  expect(JSON.parse(objectText(row, entry)).metadata).toEqual({ ...metadata, resourceVersion: '7' })
})

test('keys are in the order of the bytes of their names, whatever those are', () => {
  const names = [
    '',
    '\u0000',
    ' ',
    ' a',
    '!',
    '!20',
    '"',
    '0',
    'A',
    'a',
    'a ',
    'a!',
    'aa',
    '~',
    '~7e',
  ]
  const all = [...names, '\u007f', 'é', 'роль', '日本', '👍', 'a\u2028', '}~']
  const byBytes = all.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  const byKeys = all.toSorted((a, b) => (keyPart(a) < keyPart(b) ? -1 : 1))
  expect(byKeys).toEqual(byBytes)
  expect(new Set(all.map(keyPart)).size).toBe(all.length)
  expect(keyPart('system:node-proxier')).toBe('system:node-proxier')
})
