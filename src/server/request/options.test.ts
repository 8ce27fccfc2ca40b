import { expect, test } from 'bun:test'
import { ApiError } from '../../api/status.ts'
import { deleteOptions, listOptions, parseRevision, writeOptions } from './options.ts'
import { Query } from './query.ts'

const messageOf = (run: () => unknown) => {
  try {
    run()
  } catch (error) {
    if (error instanceof ApiError) return `${error.code} ${error.message}`
    throw error
  }
  return 'no error'
}
const writing = (query: string, verb: 'create' | 'patch' | 'apply' = 'create') =>
  messageOf(() => writeOptions(new Query(query), verb))
const listing = (query: string) => messageOf(() => listOptions(new Query(query)))

test('writes take dry run, field manager and field validation', () => {
  expect(
    writeOptions(new Query('dryRun=All&fieldManager=m&fieldValidation=Strict'), 'create'),
  ).toEqual({ dryRun: true, fieldManager: 'm', fieldValidation: 'Strict', force: false })
  expect(writeOptions(new Query(''), 'update').fieldValidation).toBe('Warn')
})

test('wrong options of writes are named', () => {
  expect(writing('dryRun=x')).toBe(
    '422 CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["x"]:' +
      ' supported values: "All"',
  )
  expect(writing('fieldValidation=x')).toContain('supported values: "", "Ignore", "Strict", "Warn"')
  expect(writing('', 'apply')).toContain(
    'fieldManager: Required value: is required for apply patch',
  )
  expect(writing('force=true', 'patch')).toContain(
    'force: Forbidden: may not be specified for non-apply patch',
  )
  expect(writing('fieldManager=%00')).toContain('invalid character U+0000 (at position 0)')
})

test('a deletion takes its options from the body when there is one', () => {
  const query = new Query('gracePeriodSeconds=5&propagationPolicy=Orphan')
  expect(deleteOptions(query, undefined)).toMatchObject({
    gracePeriodSeconds: 5,
    propagationPolicy: 'Orphan',
    dryRun: false,
  })
  expect(deleteOptions(query, { preconditions: { uid: 'u' } })).toMatchObject({
    gracePeriodSeconds: undefined,
    preconditions: { uid: 'u' },
  })
  expect(messageOf(() => deleteOptions(query, { propagationPolicy: 'x' }))).toContain(
    'Unsupported value: "x": supported values: "Foreground", "Background", "Orphan", "nil"',
  )
})

test('a list says what goes together', () => {
  expect(listing('resourceVersionMatch=foo')).toContain('[resourceVersionMatch: Forbidden: ')
  expect(listing('resourceVersion=0&resourceVersionMatch=Exact')).toContain('"exact" is forbidden')
  expect(listing('sendInitialEvents=true')).toContain('sendInitialEvents is forbidden for list')
  expect(listing('limit=x')).toBe('400 strconv.ParseInt: parsing "x": invalid syntax')
})

test('a watch says what goes together', () => {
  expect(listing('watch=1&sendInitialEvents=true')).toContain(
    'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
  )
  expect(listing('watch=1&resourceVersionMatch=Exact')).toContain(
    'supported values: "NotOlderThan"',
  )
  expect(listing('watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan')).toBe(
    'no error',
  )
})

test('revisions are plain decimals', () => {
  expect(parseRevision('12')).toBe(12)
  expect(() => parseRevision('-1')).toThrow('strconv.ParseUint: parsing "-1": invalid syntax')
})
