// What `kubectl get events` shows.

import type { Column } from '../../../resource.ts'
import type { Event } from '../../../schema/generated/types.ts'
import { since } from '../../../table/cells.ts'

export const eventColumns: readonly Column<Event>[] = [
  text('Last Seen', 0, 'Time since it happened last.', lastSeenCell),
  text('Type', 0, 'Normal or Warning.', (event) => event.type ?? ''),
  text('Reason', 0, 'Why, in one word.', (event) => event.reason ?? ''),
  text('Object', 0, 'What it is about.', ({ involvedObject }) => {
    const kind = (involvedObject?.kind ?? '').toLowerCase()
    return involvedObject?.name ? `${kind}/${involvedObject.name}` : kind
  }),
  text('Subobject', 1, 'Which part of it.', ({ involvedObject }) => {
    return involvedObject?.fieldPath ?? ''
  }),
  text('Source', 1, 'Who reports it, and from where.', sourceCell),
  text('Message', 0, 'What happened.', (event) => (event.message ?? '').trim()),
  text('First Seen', 1, 'Time since it happened first.', firstSeenCell),
  text('Count', 1, 'How often it happened.', (event) => event.series?.count ?? (event.count || 1)),
  {
    ...text('Name', 1, 'Name of the event itself.', (event) => event.metadata.name ?? ''),
    format: 'name',
  },
]

function text(
  name: string,
  priority: 0 | 1,
  description: string,
  cell: (event: Event, nowMs: number) => string | number,
): Column<Event> {
  return { name, type: 'string', priority, description, cell }
}

function firstSeenCell(event: Event, nowMs: number): string {
  return since(event.firstTimestamp ?? event.eventTime ?? undefined, nowMs)
}

function lastSeenCell(event: Event, nowMs: number): string {
  if (event.series) return since(event.series.lastObservedTime, nowMs)
  return event.lastTimestamp ? since(event.lastTimestamp, nowMs) : firstSeenCell(event, nowMs)
}

function sourceCell({ source, reportingComponent, reportingInstance }: Event): string {
  const component = source?.component || reportingComponent || ''
  const instance = source?.host || reportingInstance || ''
  return instance === '' ? component : `${component}, ${instance}`
}
