import { expect, test } from 'bun:test'
import { everyCase } from '../../../test/support/every-case.ts'
import { bootstrapFlows } from '../../api/kinds/flowcontrol/bootstrap.ts'
import type { FlowSchema, PriorityLevelConfiguration } from '../../api/schema/generated/types.ts'
import { effectiveFlows, planStatuses, wholeFlows } from './flow-plan.ts'

const NOW = '2026-01-01T00:00:00Z'

const aSchema = (name: string, level: string): FlowSchema => ({
  metadata: { name },
  spec: { priorityLevelConfiguration: { name: level }, matchingPrecedence: 500 },
})
const aLevel = (name: string): PriorityLevelConfiguration => ({
  metadata: { name },
  spec: { type: 'Limited', limited: { limitResponse: { type: 'Reject' } } },
})
const namesOf = (objects: readonly { metadata: { name?: string } }[]) =>
  objects.map(({ metadata }) => metadata.name)

test('there is always a level and a schema for everybody, whatever is stored', () => {
  everyCase((choose) => {
    const all = bootstrapFlows()
    const flowschemas = choose([[], [aSchema('a', 'x')], all.flowschemas])
    const levels = choose([[], [aLevel('x')], all.prioritylevelconfigurations])
    const found = effectiveFlows({ flowschemas, prioritylevelconfigurations: levels })
    expect(namesOf(found.flowschemas)).toContain('catch-all')
    expect(namesOf(found.flowschemas)).toContain('exempt')
    const known = namesOf(found.prioritylevelconfigurations)
    expect(new Set(known).size).toBe(known.length)
    for (const { spec } of found.flowschemas) {
      expect(known).toContain(spec.priorityLevelConfiguration.name)
    }
  })
})

test('a schema says whether its level exists, once', () => {
  const flows = {
    flowschemas: [aSchema('a', 'x'), aSchema('b', 'y'), aSchema('c', 'catch-all')],
    prioritylevelconfigurations: [aLevel('x')],
  }
  const writes = planStatuses(flows, NOW)
  const what = 'This FlowSchema references the PriorityLevelConfiguration object named'
  expect(writes.map(({ name, condition }) => [name, condition.status, condition.message])).toEqual([
    ['a', 'False', `${what} "x" and it exists`],
    ['b', 'True', `${what} "y" but there is no such object`],
    ['c', 'False', `${what} "catch-all" and it exists`],
  ])
  const written = flows.flowschemas.map((schema, index) => ({
    ...schema,
    status: { conditions: [writes[index]!.condition] },
  }))
  expect(planStatuses({ ...flows, flowschemas: written }, 'later')).toEqual([])
  const gone = { flowschemas: written, prioritylevelconfigurations: [] }
  expect(planStatuses(gone, NOW).map(({ name }) => name)).toEqual(['a'])
})

test('what lacks its spec is as if it were not there', () => {
  const broken = { metadata: { name: 'a' } } as unknown as FlowSchema & PriorityLevelConfiguration
  const halved = { ...broken, spec: {} } as unknown as FlowSchema
  const flows = wholeFlows([broken, halved, aSchema('b', 'x')], [broken, aLevel('x')])
  expect(namesOf(flows.flowschemas)).toEqual(['b'])
  expect(namesOf(flows.prioritylevelconfigurations)).toEqual(['x'])
})
