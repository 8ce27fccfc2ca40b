// Two runs on one machine do not disturb each other: names, addresses and groups are each run's own.

import { describe, expect, test } from 'bun:test'
import { Box } from '../support/box.ts'
import { cannotRun, createLab, ok, run } from '../support/machines.ts'
import { byMachines, type Suite, shuffled } from './suite.ts'

const reason = cannotRun()

describe.skipIf(reason !== undefined)(`machines of several runs ${reason ?? ''}`, () => {
  const state = async () => {
    const links = await ok(['ip', '-o', 'link'])
    const ours = links.match(/kt\d+-[\w-]+/g) ?? []
    return [...ours, ...(await ok(['ip', 'netns', 'list'])).split('\n')].filter((line) =>
      /^kt/.test(line),
    )
  }

  test('have the same names, addresses of their own, and leave nothing behind', async () => {
    const made: string[] = []
    const labs = await Promise.all(Array.from({ length: 4 }, () => createLab()))
    try {
      const machines = await Promise.all(labs.map((lab) => lab.addMachine('server')))
      made.push(...machines.map(({ namespace }) => namespace))
      expect(new Set(machines.map(({ ip }) => ip)).size).toBe(labs.length)
      expect(new Set(made).size).toBe(labs.length)
      for (const [i, machine] of machines.entries()) {
        const { stdout } = await run(machine.on(['ip', 'route', 'get', labs[i]!.gateway]))
        expect(stdout).toContain(`src ${machine.ip}`)
      }
    } finally {
      for (const lab of labs) await lab[Symbol.asyncDispose]()
    }
    const left = await state()
    expect(left.filter((line) => made.some((name) => line.startsWith(name)))).toEqual([])
  }, 60_000)

  test('as boxes have the same host name and groups of their own', async () => {
    await using one = await Box.create('twin', '192.0.2.2/24')
    await using two = await Box.create('twin', '192.0.2.2/24')
    const groups = []
    for (const box of [one, two]) {
      expect(await box.ok(['uname', '-n'])).toBe('twin\n')
      groups.push(await ok(['cat', `/proc/${box.pid}/cgroup`]))
    }
    expect(groups[0]).not.toBe(groups[1])
  }, 60_000)
})

const aSuite = (name: string, agents: number): Suite => ({
  name,
  machines: { servers: 1, agents },
  tests: () => {},
})

test('suites that need the same machines share them', () => {
  const suites = [aSuite('a', 1), aSuite('b', 0), aSuite('c', 1)]
  const groups = byMachines(suites).map(([{ agents }, group]) => [agents, group.map((s) => s.name)])
  expect(groups).toEqual([
    [1, ['a', 'c']],
    [0, ['b']],
  ])
})

test('every order comes, and each again by its seed', () => {
  const orders = Array.from({ length: 200 }, (_, seed) => shuffled([1, 2, 3], seed).join())
  expect(new Set(orders).size).toBe(6)
  expect(shuffled([1, 2, 3], 7)).toEqual(shuffled([1, 2, 3], 7))
})
