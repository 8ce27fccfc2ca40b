import { expect, test } from 'bun:test'
import { internalForm, internalPodSpec } from './internal-form.ts'

test('fields have the names, and the order, of the type inside of the server', () => {
  const shown = internalForm('Taint', { effect: 'NoSchedule', key: 'a' })
  expect(JSON.stringify(shown)).toBe(
    '{"Key":"a","Value":"","Effect":"NoSchedule","TimeAdded":null}',
  )
})

test('namespaces of the host are part of the security context', () => {
  const shown = internalPodSpec({ containers: [], hostNetwork: true }) as {
    SecurityContext: { HostNetwork: boolean; HostPID: boolean }
  }
  expect(shown.SecurityContext.HostNetwork).toBe(true)
  expect(shown.SecurityContext.HostPID).toBe(false)
})
