import { expect, test } from 'bun:test'
import { everyCase } from '../../../../test/support/every-case.ts'
import { type TestServer, testServer } from '../../../../test/support/server.ts'
import type { Pod, PodDisruptionBudget } from '../../../api/schema/generated/types.ts'
import type { ApiError } from '../../../api/status.ts'
import { budgetOf, chargeEviction, isFreeToGo, mayGoUnready } from './eviction-plan.ts'

const aPod = (phase: string, isReady: boolean): Pod => ({
  metadata: { name: 'p', labels: { app: 'web' } },
  spec: { containers: [] },
  status: { phase, conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }] },
})

function aBudget(name: string, status: object = {}, spec: object = {}): PodDisruptionBudget {
  const selector = { matchLabels: { app: 'web' } }
  return {
    metadata: { name, generation: 1 },
    spec: { selector, ...spec },
    status: { ...none, observedGeneration: 1, ...status },
  }
}
const none = { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 }

test('of what may be known of a pod and its budget, what lets it go is exactly this', () => {
  const count = everyCase((choose) => {
    const phase = choose(['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown'])
    const isReady = choose([true, false])
    const policy = choose([undefined, 'IfHealthyBudget', 'AlwaysAllow'])
    const currentHealthy = choose([0, 1, 2])
    const desiredHealthy = choose([0, 1, 2])
    const pod = aPod(phase, isReady)
    const spec = policy === undefined ? {} : { unhealthyPodEvictionPolicy: policy }
    const budget = aBudget('b', { currentHealthy, desiredHealthy }, spec)
    expect(isFreeToGo(pod)).toBe(['Pending', 'Succeeded', 'Failed'].includes(phase))
    const isHealthy = desiredHealthy > 0 && currentHealthy >= desiredHealthy
    expect(mayGoUnready(pod, budget)).toBe(!isReady && (policy === 'AlwaysAllow' || isHealthy))
  })
  expect(count).toBe(5 * 2 * 3 * 3 * 3)
})

test('an empty selector means every pod, none means no pod, and two budgets are too many', () => {
  const pod = aPod('Running', true)
  const [mine, all] = [aBudget('mine'), aBudget('all', {}, { selector: {} })]
  const other = aBudget('other', {}, { selector: { matchLabels: { app: 'db' } } })
  const nobody: PodDisruptionBudget = { metadata: {}, spec: {} }
  expect(budgetOf(pod, [other, nobody])).toBeUndefined()
  expect(budgetOf(pod, [other, mine, nobody])).toBe(mine)
  expect(budgetOf(pod, [all])).toBe(all)
  expect(() => budgetOf(pod, [mine, all])).toThrow('more than one PodDisruptionBudget')
})

const whyNot = (status: object): string => {
  try {
    chargeEviction(aBudget('b', status), 'p', 0)
    return 'allowed'
  } catch (error) {
    const { details, message } = error as ApiError
    return details?.causes?.[0]?.message ?? message
  }
}

test('a budget says why it lets nothing go', () => {
  const failed = { type: 'DisruptionAllowed', status: 'False', reason: 'SyncFailed', message: 'm' }
  const condition = { ...failed, lastTransitionTime: 't' }
  const cases: [object, string][] = [
    [{ observedGeneration: 0 }, 'The disruption budget b is still being processed by the server.'],
    [
      { conditions: [condition] },
      'The disruption budget b does not allow evicting pods currently because it failed sync: m',
    ],
    [
      { currentHealthy: 1, desiredHealthy: 2 },
      'The disruption budget b needs 2 healthy pods and has 1 currently',
    ],
    [
      { currentHealthy: 3, desiredHealthy: 2, conditions: [{ ...condition, reason: 'Other' }] },
      'The disruption budget b does not allow evicting pods currently (Other): m',
    ],
    [
      { currentHealthy: 3, desiredHealthy: 2 },
      'The disruption budget b does not allow evicting pods currently',
    ],
    [
      {
        disruptionsAllowed: 1,
        disruptedPods: Object.fromEntries(Array.from({ length: 2001 }, (_, i) => [`p${i}`, 't'])),
      },
      'poddisruptionbudget.policy "b" is forbidden: DisruptedPods map too big - too many evictions not confirmed by PDB controller',
    ],
    [{ disruptionsAllowed: 1 }, 'allowed'],
  ]
  for (const [status, why] of cases) expect(whyNot(status)).toBe(why)
})

const HERE = '/api/v1/namespaces/default'
const BUDGETS = '/apis/policy/v1/namespaces/default/poddisruptionbudgets'
const MERGE = { 'content-type': 'application/merge-patch+json' }

async function running(server: TestServer, count: number) {
  await server.call('POST', `${HERE}/serviceaccounts`, { body: { metadata: { name: 'default' } } })
  for (let index = 0; index < count; index++) {
    const body = {
      metadata: { name: `p${index}`, labels: { app: 'web' } },
      spec: { nodeName: 'n', containers: [{ name: 'c', image: 'i' }] },
    }
    await server.call('POST', `${HERE}/pods`, { body })
    const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }
    const path = `${HERE}/pods/p${index}/status`
    await server.call('PATCH', path, { body: { status }, headers: MERGE })
  }
}

test('of many evictions at once, no more get through than the budget allows', async () => {
  await using server = await testServer()
  await running(server, 16)
  const spec = { minAvailable: 11, selector: { matchLabels: { app: 'web' } } }
  await server.call('POST', BUDGETS, { body: { metadata: { name: 'b' }, spec } })
  const status = { disruptionsAllowed: 5, currentHealthy: 16, desiredHealthy: 11, expectedPods: 16 }
  const body = { status: { ...status, observedGeneration: 1 } }
  await server.call('PATCH', `${BUDGETS}/b/status`, { body, headers: MERGE })
  const answers = await Promise.all(
    Array.from({ length: 16 }, (_, index) =>
      server.call('POST', `${HERE}/pods/p${index}/eviction`, {
        body: { metadata: { name: `p${index}` } },
      }),
    ),
  )
  expect(answers.filter(({ code }) => code === 201)).toHaveLength(5)
  expect(answers.filter(({ code }) => code === 429)).toHaveLength(11)
  const left = (await server.call('GET', `${BUDGETS}/b`)).json.status
  expect(left.disruptionsAllowed).toBe(0)
  expect(Object.keys(left.disruptedPods)).toHaveLength(5)
  expect(left.conditions).toMatchObject([
    { type: 'DisruptionAllowed', status: 'False', reason: 'InsufficientPods' },
  ])
})

test('an eviction may not overlook what the store cannot read', async () => {
  await using server = await testServer()
  await running(server, 1)
  const deleteOptions = { ignoreStoreReadErrorWithClusterBreakingPotential: true }
  const body = { metadata: { name: 'p0' }, deleteOptions }
  const answer = await server.call('POST', `${HERE}/pods/p0/eviction`, { body })
  expect(answer.json).toMatchObject({
    code: 422,
    message:
      'Eviction.policy "p0" is invalid: deleteOptions.ignoreStoreReadErrorWithClusterBreakingPotential: Invalid value: true: can not be set for pod eviction, try after removing the option',
  })
})
