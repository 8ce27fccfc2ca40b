import { expect, test } from 'bun:test'
import { formatPurpose, parsePurpose, type StreamPurpose } from './tunnel.ts'

test('a purpose is read as it was written', () => {
  const purposes: StreamPurpose[] = [
    { to: 'node' },
    { to: 'address', host: '10.0.0.1', port: 80 },
    { to: 'address', host: '2001:db8::1', port: 80 },
  ]
  for (const purpose of purposes) expect(parsePurpose(formatPurpose(purpose))).toEqual(purpose)
})

test('what is not understood is no purpose', () => {
  const texts = ['', 'null', '[]', '{"to":"moon"}', '{"to":"address","host":"a.example","port":1}']
  for (const text of [...texts, '{"to":"address","host":"10.0.0.1","port":"80"}', 'x'.repeat(99)]) {
    expect(parsePurpose(text)).toBeUndefined()
  }
})
