import { expect, test } from 'bun:test'
import { decodeValue } from '../codec/decode.ts'
import type { KubeObject } from '../object.ts'
import type { AnyRow } from '../resource.ts'
import { groupVersionOf } from '../resource.ts'
import { applyDefaults } from '../schema/defaults.ts'
import { objectType } from '../schema/schema.ts'
import { builtInRows } from './all.ts'

const USER = { username: 'u', groups: [] }

test('every path is served by one row', () => {
  const paths = builtInRows.map((row) => `${groupVersionOf(row)} ${row.plural}`)
  expect(new Set(paths).size).toBe(paths.length)
})

test('no two rows share a storagePrefix unless they serve the same objects', () => {
  const stored = builtInRows.filter((row) => row.verbs.includes('list'))
  const folders = stored.filter((row) => row.toStored === undefined).map((row) => row.storagePrefix)
  expect(new Set(folders).size).toBe(folders.length)
})

test('short names mean one kind each', () => {
  const names = builtInRows.filter((row) => row.toStored === undefined)
  const short = names.flatMap((row) => row.shortNames)
  expect(new Set(short).size).toBe(short.length)
})

test('every row has a type of the generated schema, and its sub-resources fields of it', () => {
  for (const row of builtInRows) {
    const type = objectType(row.type)
    if (row.status) expect([row.kind, type.fields.has('status')]).toEqual([row.kind, true])
    if (row.scale) expect([row.kind, type.fields.has('spec')]).toEqual([row.kind, true])
  }
})

test('an object with nothing in it is judged, not stumbled over', () => {
  for (const row of builtInRows) {
    const object = emptyOf(row)
    row.prepareCreate(object, { nowMs: 0, user: USER, uuid: () => 'u' })
    const judge = () => {
      for (const rule of row.rules) rule(object, undefined)
      row.warnings(object, undefined)
      for (const column of row.columns) column.cell(object, 0)
      for (const read of Object.values(row.selectable)) read(object)
      row.rowConditions(object)
    }
    expect(judge).not.toThrow()
  }
})

test('defaults change nothing when they are applied again', () => {
  for (const row of builtInRows) {
    const once = emptyOf(row)
    expect(defaulted(row, structuredClone(once))).toEqual(once)
  }
})

function emptyOf(row: AnyRow): KubeObject {
  const object = { apiVersion: groupVersionOf(row), kind: row.kind, metadata: { name: 'a' } }
  return defaulted(row, decodeValue(object, objectType(row.type)).object as unknown as KubeObject)
}

function defaulted(row: AnyRow, object: KubeObject): KubeObject {
  applyDefaults(object, objectType(row.type))
  row.defaults(object)
  return object
}
