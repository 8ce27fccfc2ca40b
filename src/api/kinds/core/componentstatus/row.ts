import { type Column, defineResource } from '../../../resource.ts'
import type { ComponentStatus } from '../../../schema/generated/types.ts'

/** An old way to ask for the health of the control plane. There are no parts here to list. */
export const componentStatuses = defineResource<ComponentStatus>({
  group: '',
  version: 'v1',
  kind: 'ComponentStatus',
  plural: 'componentstatuses',
  singular: 'componentstatus',
  type: 'io.k8s.api.core.v1.ComponentStatus',
  scope: 'Cluster',
  shortNames: ['cs'],
  verbs: ['get', 'list'],
  deprecation: 'v1 ComponentStatus is deprecated in v1.19+',
  columns: [
    text('Status', 'Healthy or not.', (component) => {
      const { status } = healthOf(component) ?? {}
      return status === undefined ? 'Unknown' : status === 'True' ? 'Healthy' : 'Unhealthy'
    }),
    text('Message', 'What it says of itself.', (component) => healthOf(component)?.message ?? ''),
    text('Error', 'Why it could not be asked.', (component) => healthOf(component)?.error ?? ''),
  ],
})

function healthOf(component: ComponentStatus) {
  return component.conditions?.find((condition) => condition.type === 'Healthy')
}

function text(
  name: string,
  description: string,
  cell: (component: ComponentStatus) => string,
): Column<ComponentStatus> {
  return { name, type: 'string', priority: 0, description, cell }
}
