import { expect, test } from 'bun:test'
import { ApiError } from '../../api/status.ts'
import { Query } from '../request/query.ts'
import type { Call } from '../transport/call.ts'
import { withSocketToken } from './socket-token.ts'

const PREFIX = 'base64url.bearer.authorization.k8s.io.'
const encoded = (text: string) => `${PREFIX}${Buffer.from(text).toString('base64url')}`

function callOf(protocols: string, more: Record<string, string> = {}): Call {
  const headers: Record<string, string> = {
    upgrade: 'WebSocket',
    'sec-websocket-protocol': protocols,
    ...more,
  }
  return {
    method: 'GET',
    rawPath: '/x',
    path: '/x',
    query: new Query(''),
    env: {},
    header: (name: string) => headers[name],
    headers: () => Object.entries(headers),
    body: async () => Buffer.from(''),
    bodyStream: () => undefined,
    signal: new AbortController().signal,
  }
}

test('a token among the sub-protocols is a bearer token, and goes no further', () => {
  for (const offers of [`${encoded('töken')}, a, b`, `a,${encoded('töken')},b`]) {
    const call = withSocketToken(callOf(offers, { origin: 'x' }))
    expect(call.header('authorization')).toBe('Bearer töken')
    expect(call.header('sec-websocket-protocol')).toBe('a, b')
    expect([...call.headers()]).toEqual([
      ['upgrade', 'WebSocket'],
      ['origin', 'x'],
      ['sec-websocket-protocol', 'a, b'],
    ])
  }
})

test('a token in the header comes first', () => {
  const call = withSocketToken(callOf(`${encoded('t')}, a`, { authorization: 'Bearer header' }))
  expect(call.header('authorization')).toBe('Bearer header')
  expect([...call.headers()].join()).not.toContain('Bearer')
})

test('calls without such a token stay as they are', () => {
  for (const call of [
    callOf('v5.channel.k8s.io'),
    callOf(''),
    callOf(encoded('t'), { upgrade: 'SPDY/3.1' }),
  ]) {
    expect(withSocketToken(call)).toBe(call)
  }
})

test.each([
  ['nothing to answer with', encoded('t')],
  ['two tokens', `${encoded('t')}, ${encoded('t')}, a`],
  ['no token at all', `${PREFIX}, a`],
  ['padding', `${PREFIX}dA==, a`],
  ['the other alphabet', `${PREFIX}+/+/, a`],
  ['a length that cannot be', `${PREFIX}aaaaa, a`],
  ['bytes that are no text', `${PREFIX}${Buffer.from([0xff]).toString('base64url')}, a`],
])('a token with %s is refused', (_, offers) => {
  const refused = () => withSocketToken(callOf(offers))
  expect(refused).toThrow(ApiError)
  expect(refused).toThrow('Unauthorized')
})
