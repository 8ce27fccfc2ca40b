import { expect, test } from 'bun:test'
import type { Service } from '../../../schema/generated/types.ts'
import { clearByType } from './strategy.ts'

const service = (spec: object, status: object = {}) =>
  ({ metadata: { name: 's' }, spec, status }) as unknown as Service

const OPEN = {
  type: 'NodePort',
  clusterIP: '10.0.0.1',
  clusterIPs: ['10.0.0.1'],
  externalTrafficPolicy: 'Cluster',
  ports: [{ port: 80, nodePort: 30080 }],
}

test('a service that is closed to the outside gives its node ports back', () => {
  const closed = service({ ...structuredClone(OPEN), type: 'ClusterIP' })
  clearByType(closed, service(OPEN))
  expect(closed.spec.ports).toEqual([{ port: 80 }])
  expect(closed.spec.externalTrafficPolicy).toBeUndefined()
  expect(closed.spec.clusterIP).toBe('10.0.0.1')
})

test('what was changed in the same write is left for validation', () => {
  const closed = service({
    ...structuredClone(OPEN),
    type: 'ClusterIP',
    ports: [{ port: 80, nodePort: 30090 }],
  })
  clearByType(closed, service(OPEN))
  expect(closed.spec.ports).toEqual([{ port: 80, nodePort: 30090 }])
})

test('a name of somewhere else has no address', () => {
  const named = service({ ...structuredClone(OPEN), type: 'ExternalName', externalName: 'a.b' })
  clearByType(named, service(OPEN))
  expect(named.spec.clusterIP).toBeUndefined()
  expect(named.spec.clusterIPs).toBeUndefined()
  expect(named.status).toEqual({ loadBalancer: {} })
})
