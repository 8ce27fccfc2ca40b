import { expect, test } from 'bun:test'
import { everyCase } from '../../test/support/every-case.ts'
import { parseStat, treeOf } from './process-tree.ts'

const one = (pid: number, parentPid: number, sessionId: number) => ({ pid, parentPid, sessionId })

test('a command goes with its children, with those handed on, and with nobody else', () => {
  const processes = [
    one(100, 1, 100), // The container's first process.
    one(101, 100, 100),
    one(200, 50, 200), // The command, and below it a child, and a daemon of the child's.
    one(201, 200, 200),
    one(202, 201, 202),
    one(203, 100, 200), // Handed to the first process.
    one(300, 60, 300), // Another command.
  ]
  expect(treeOf(processes, new Set([200])).toSorted()).toEqual([200, 201, 202, 203])
  const later = processes.filter(({ pid }) => pid !== 200)
  expect(treeOf(later, new Set([200])).toSorted()).toEqual([201, 202, 203])
  expect(treeOf(processes, new Set([999]))).toEqual([])
})

test('whatever the tree looks like, it is found, and the first process never is', () => {
  everyCase((choose) => {
    const tree = [one(2, 0, 2)]
    for (const pid of [3, 4, 5]) {
      const parent = choose(tree)
      tree.push(one(pid, parent.pid, choose([parent.sessionId, pid])))
    }
    const others = [one(1, 0, 1), one(9, 1, 1), one(10, 9, 10)]
    expect(treeOf([...others, ...tree.toReversed()], new Set([2])).toSorted()).toEqual([2, 3, 4, 5])
  })
})

test('the name of a process cannot pass for its numbers', () => {
  expect(parseStat(7, '7 (a) S 1 1 1 (b c)) R 5 6 8 0 -1')).toEqual(one(7, 5, 8))
  expect(parseStat(7, '7 (sh) Z 5 6 8 0 -1')).toBeUndefined()
  expect(parseStat(7, '')).toBeUndefined()
})
