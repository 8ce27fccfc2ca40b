import { expect, test } from 'bun:test'
import { Lasting } from './lasting.ts'
import { ALL_BYTES_MAX, Unread, USER_BYTES_MAX } from './unread.ts'

const user = (username: string, ...groups: string[]) => ({ username, groups })

test('who leaves too much unread gets nothing more until it is read', () => {
  const unread = new Unread()
  const [a, b, root] = [user('a'), user('b'), user('root', 'system:masters')]
  const first = unread.add(a, USER_BYTES_MAX - 1)
  unread.check(a)
  const second = unread.add(a, 1)
  expect(() => unread.check(a)).toThrow('read them, then try again')
  unread.check(b)
  second()
  second()
  unread.check(a)
  for (let i = 0; i < 4; i++) unread.add(user(`many-${i}`), ALL_BYTES_MAX / 4)
  // Together they have had enough; whoever has nothing unread is none of them.
  expect(() => unread.check(a)).toThrow('read them, then try again')
  unread.check(b)
  unread.add(root, ALL_BYTES_MAX)
  unread.check(root)
  first()
  unread.check(a)
})

test('a user has so many watches and streams at once, and others have theirs', () => {
  const lasting = new Lasting(2)
  const leave = lasting.enter(user('a'))
  lasting.enter(user('a'))
  expect(() => lasting.enter(user('a'))).toThrow('Too many watches and streams of one user: 2')
  lasting.enter(user('constructor'))
  for (let i = 0; i < 5; i++) lasting.enter(user('root', 'system:masters'))
  leave()
  leave()
  lasting.enter(user('a'))
  expect(() => lasting.enter(user('a'))).toThrow('Too many watches')
})
