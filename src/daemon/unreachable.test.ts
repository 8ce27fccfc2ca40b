import { expect, test } from 'bun:test'
import { UserError } from '../lib/user-error.ts'
import { whyUnreachable } from './unreachable.ts'

test('says what to look at', () => {
  const why = (message: string, cause?: Error) => whyUnreachable(new Error(message, { cause }))
  expect(why('ECONNREFUSED: Unable to connect')).toStartWith('nobody listens there: check')
  expect(why('fetch failed', new Error('connect EHOSTUNREACH'))).toStartWith('there is no way')
  expect(why('getaddrinfo EAI_AGAIN box')).toStartWith('its name is not known here: check')
  expect(why('took longer than 15000 ms')).toStartWith('does not answer: check')
})

test('keeps the words of what it does not know', () => {
  expect(whyUnreachable(new Error('certificate is odd'))).toBe(
    'cannot be reached (certificate is odd): check the address, and what lies in between',
  )
  expect(whyUnreachable(new UserError('answers 502: is it a kedge server?'))).toBe(
    'answers 502: is it a kedge server?',
  )
})
