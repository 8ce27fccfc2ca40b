import { describe, expect, test } from 'bun:test'
import { UserError } from '../lib/user-error.ts'
import type { RawSettings } from './config.ts'
import { inWordsOf, parseConfig, resolveSettings, type Source } from './config.ts'

const from = (settings: RawSettings, where = 'flag'): Source => ({
  settings,
  where: (name) => `${where} ${name}`,
})

describe('resolveSettings', () => {
  test('takes the first source that says something', () => {
    const settings = resolveSettings('server', [
      from({ 'node-name': 'a' }),
      from({ 'node-name': 'b', 'log-level': 'debug' }),
    ])
    expect(settings['node-name']).toBe('a')
    expect(settings['log-level']).toBe('debug')
    expect(settings['https-listen-port']).toBe(6443)
  })

  test('names the source, the value and the way out', () => {
    const bad = () => resolveSettings('server', [from({ 'https-listen-port': 'x' }, '/c.yaml:')])
    expect(bad).toThrow('/c.yaml: https-listen-port: "x" is not valid: give a number')
    const high = () => resolveSettings('server', [from({ 'https-listen-port': 70000 }, '-')])
    expect(high).toThrow('give a port from 1 to 65535')
  })

  test('splits lists that come from the environment', () => {
    const settings = resolveSettings('agent', [from({ 'node-label': 'a=b,c=d' })])
    expect(settings['node-label']).toEqual(['a=b', 'c=d'])
  })

  test('does not hold keys of the other role against a shared file', () => {
    expect(resolveSettings('agent', [from({ 'cluster-cidr': 'junk' })])['cluster-cidr']).toBe(
      '10.42.0.0/16',
    )
  })
})

describe('an error names an option', () => {
  const sources: Source[] = [
    { settings: { 'node-name': 'a' }, where: (name) => `--${name}` },
    { settings: { token: 'x', 'node-name': 'b' }, where: (name) => `KEDGE_${name.toUpperCase()}` },
    { settings: { 'node-ip': '::' }, where: (name) => `/c.yaml: ${name}` },
  ]
  const told = (text: string) => (inWordsOf(sources, new UserError(text)) as Error).message

  for (const [text, expected] of [
    ['--token: it must start with "K10"', 'KEDGE_TOKEN: it must start with "K10"'],
    ['--node-name a: is taken', '--node-name a: is taken'],
    ['overlaps --node-ip 192.0.2.1', 'overlaps /c.yaml: node-ip 192.0.2.1'],
    ['give another (--token)', 'give another (KEDGE_TOKEN)'],
    ['see kedge server --help, or --server', 'see kedge server --help, or --server'],
    ['x--token and --token-file stay', 'x--token and --token-file stay'],
  ]) {
    test(`as it was given: ${text}`, () => expect(told(text!)).toBe(expected!))
  }

  test('and what is no fault of a person stays as it is', () => {
    const error = new Error('--token')
    expect(inWordsOf(sources, error)).toBe(error)
  })
})

describe('parseConfig', () => {
  test('names an unknown key and the nearest known one', () => {
    expect(() => parseConfig('node-nam: x', 'c.yaml')).toThrow(
      'c.yaml: node-nam is not a known key: did you mean node-name?',
    )
  })

  test('refuses what is no YAML, and what holds no keys', () => {
    expect(() => parseConfig('a: [', 'c.yaml')).toThrow('c.yaml: is not valid YAML')
    expect(() => parseConfig('- a', 'c.yaml')).toThrow('must hold keys and values')
  })

  test('takes an empty file', () => {
    expect(parseConfig('# nothing\n', 'c.yaml')).toEqual({})
  })
})
