// Events, in both groups. They are stored as the core group has them.

import { isPathSegmentName } from '../../../names.ts'
import { defineResource } from '../../../resource.ts'
import type { Event, EventsV1Event } from '../../../schema/generated/types.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { eventColumns } from './columns.ts'
import { coreEventOf, groupEventOf } from './convert.ts'
import { selectableFields } from './fields.ts'
import { checkEvent, checkGroupEvent } from './validation.ts'

const HOUR_MS = 3_600_000

const common = {
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  storagePrefix: 'events',
  shortNames: ['ev'],
  createOnUpdate: true,
  volatile: true,
  ttlMs: HOUR_MS,
  startsWithName: false,
} as const

export const events = defineResource<Event>({
  ...common,
  group: '',
  type: 'io.k8s.api.core.v1.Event',
  // Old events are judged by the registry alone.
  nameRule: isPathSegmentName,
  metadataJudges: [],
  freeFinalizers: true,
  rules: [ruleOf(checkEvent)],
  selectable: {
    ...selectableFields<Event>('involvedObject', (event) => event),
    reportingComponent: (event) => event.reportingComponent ?? '',
    source: (event) => event.source?.component || event.reportingComponent || '',
  },
  columns: eventColumns,
})

export const groupEvents = defineResource<EventsV1Event>({
  ...common,
  group: 'events.k8s.io',
  faultGroup: '',
  type: 'io.k8s.api.events.v1.Event',
  rules: [ruleOf(checkGroupEvent)],
  toStored: coreEventOf,
  fromStored: (stored) => groupEventOf(stored as Event),
  selectable: {
    ...selectableFields<EventsV1Event>('regarding', coreEventOf),
    reportingController: (event) => event.reportingController ?? '',
  },
  columns: eventColumns.map((column) => ({
    ...column,
    cell: (event: EventsV1Event, nowMs: number) => column.cell(coreEventOf(event), nowMs),
  })),
})
