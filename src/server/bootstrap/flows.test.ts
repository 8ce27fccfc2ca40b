import { expect, test } from 'bun:test'
import { testServer } from '../../../test/support/server.ts'
import { SimClock } from '../../lib/clock.ts'
import { planRevision } from './flows.ts'

const GROUP = '/apis/flowcontrol.apiserver.k8s.io/v1'
const NOTE = 'apf.kubernetes.io/autoupdate-spec'

const wanted = { metadata: { name: 'probes' }, spec: { matchingPrecedence: 2 } }
const found = (note: string | undefined, generation: number, spec: object = wanted.spec) => ({
  metadata: {
    name: 'probes',
    generation,
    ...(note === undefined ? {} : { annotations: { [NOTE]: note } }),
  },
  spec,
})

test('what follows the suggestion is brought back to it, and what does not is left alone', () => {
  const other = { matchingPrecedence: 3 }
  expect(planRevision(wanted, found('true', 1))).toBeUndefined()
  expect(planRevision(wanted, found('true', 7, other))?.spec).toEqual(wanted.spec)
  expect(planRevision(wanted, found('false', 7, other))).toBeUndefined()
  expect(planRevision(wanted, found(undefined, 1, other))).toEqual(found('true', 1))
  expect(planRevision(wanted, found(undefined, 2, other))).toEqual(found('false', 2, other))
  expect(planRevision(wanted, found('perhaps', 1))).toEqual(found('true', 1))
})

test('what is mandatory follows whatever it says, but for what exempt lends', () => {
  const level = { metadata: { name: 'exempt' }, spec: { type: 'Exempt', exempt: {} } }
  const lending = { type: 'Exempt', exempt: { lendablePercent: 9 } }
  const present = (note: string, spec: object) => ({
    metadata: { name: 'exempt', annotations: { [NOTE]: note } },
    spec,
  })
  expect(planRevision(level, present('true', lending))).toBeUndefined()
  expect(planRevision(level, present('false', lending))).toEqual(present('true', lending))
})

test('a schema that was deleted is there again after a minute, and counts meanwhile', async () => {
  const clock = new SimClock()
  await using server = await testServer({ clock })
  const path = `${GROUP}/flowschemas/catch-all`
  const before = await server.call('GET', path)
  expect((await server.call('DELETE', path)).code).toBe(200)
  expect((await server.call('GET', path)).code).toBe(404)
  const somebody = { user: { username: 'odd', groups: [] } }
  expect((await server.call('GET', '/version', somebody)).code).toBe(403)
  await until(async () => {
    await clock.advance(60_000)
    return (await server.call('GET', path)).code === 200
  })
  expect((await server.call('GET', path)).json.spec).toEqual(before.json.spec)
})

test('answers name the schema and the level of the request by their UIDs', async () => {
  await using server = await testServer()
  const level = await server.call('POST', `${GROUP}/prioritylevelconfigurations`, {
    body: {
      metadata: { name: 'mine' },
      spec: { type: 'Limited', limited: { limitResponse: { type: 'Reject' } } },
    },
  })
  const schema = await server.call('POST', `${GROUP}/flowschemas`, {
    body: {
      metadata: { name: 'mine' },
      spec: {
        matchingPrecedence: 50,
        priorityLevelConfiguration: { name: 'mine' },
        rules: [
          {
            subjects: [{ kind: 'User', user: { name: 'ann' } }],
            nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
          },
        ],
      },
    },
  })
  const user = { username: 'ann', groups: ['system:authenticated'] }
  await until(async () => {
    const { headers } = await server.call('GET', '/version', { user })
    return headers.get('x-kubernetes-pf-flowschema-uid') === schema.json.metadata.uid
  })
  const { headers } = await server.call('GET', '/nowhere', { user })
  expect(headers.get('x-kubernetes-pf-prioritylevel-uid')).toBe(level.json.metadata.uid)
})

async function until(holds: () => Promise<boolean>) {
  for (let i = 0; i < 1000; i++) {
    if (await holds()) return
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  throw new Error('it does not come to pass')
}
