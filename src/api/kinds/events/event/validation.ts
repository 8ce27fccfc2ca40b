// What an event must be: loosely in the core group, strictly in events.k8s.io
// (pkg/apis/core/validation/events.go). Both are judged as the core group has them.

import { dnsSubdomainFaults } from '../../../names.ts'
import type { Event, EventsV1Event } from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { checkImmutable, checkQualifiedName, sameValue } from '../../../validation/values.ts'
import { coreEventOf } from './convert.ts'

const TEXT_MAX = 128
const NOTE_MAX = 1024

export function checkEvent(faults: FieldErrors, event: Event) {
  checkLoosely(faults, event, 'reportingComponent')
}

export function checkGroupEvent(
  faults: FieldErrors,
  sent: EventsV1Event,
  before: EventsV1Event | undefined,
) {
  const event = coreEventOf(sent)
  checkLoosely(faults, event, 'reportingController')
  if (before) return checkUnchanged(faults, event, coreEventOf(before))
  checkSeries(faults, event)
  if (!event.eventTime) faults.required('eventTime')
  if (event.type !== 'Normal' && event.type !== 'Warning') {
    faults.invalid('type', '', `has invalid value: ${event.type ?? ''}`)
  }
  const { component, host } = event.source ?? {}
  const old = {
    firstTimestamp: event.firstTimestamp,
    lastTimestamp: event.lastTimestamp,
    count: event.count,
    source: component || host,
  }
  for (const [field, value] of Object.entries(old)) {
    if (value) faults.invalid(field, '', 'needs to be unset')
  }
}

function checkLoosely(faults: FieldErrors, event: Event, controllerField: string) {
  const namespace = event.metadata.namespace ?? ''
  const about = event.involvedObject?.namespace ?? ''
  const mismatch = () => {
    faults.invalid('involvedObject.namespace', about, 'does not match event.namespace')
  }
  if (!event.eventTime) {
    const isMatch = about === '' ? ['', 'default'].includes(namespace) : about === namespace
    if (!isMatch) mismatch()
  } else {
    if (about === '' && !['default', 'kube-system'].includes(namespace)) mismatch()
    checkNewFields(faults, event, controllerField)
  }
  faults.invalidAll('namespace', namespace, dnsSubdomainFaults(namespace))
}

/** Events with a time of their own come from reporters of the newer kind. */
function checkNewFields(faults: FieldErrors, event: Event, controllerField: string) {
  const { reportingComponent = '', reportingInstance = '', action = '', reason = '' } = event
  if (!reportingComponent) faults.required(controllerField)
  checkQualifiedName(faults, controllerField, reportingComponent)
  const texts = { reportingInstance, action, reason }
  for (const [field, text] of Object.entries(texts)) {
    if (!text) faults.required(field)
    if (text.length > TEXT_MAX) {
      faults.invalid(field, '', `can have at most ${TEXT_MAX} characters`)
    }
  }
  if ((event.message ?? '').length > NOTE_MAX) {
    faults.invalid('message', '', `can have at most ${NOTE_MAX} characters`)
  }
}

function checkSeries(faults: FieldErrors, { series }: Event) {
  if (!series) return
  if ((series.count ?? 0) < 2) faults.invalid('series.count', '', 'should be at least 2')
  if (!series.lastObservedTime) faults.required('series.lastObservedTime')
}

function checkUnchanged(faults: FieldErrors, event: Event, old: Event) {
  if (!sameValue(event.series, old.series)) checkSeries(faults, event)
  const objects = ['involvedObject'] as const
  for (const field of objects) checkImmutable(faults, field, event[field], old[field])
  for (const field of ['reason', 'message'] as const) {
    checkImmutable(faults, field, event[field] ?? '', old[field] ?? '')
  }
  for (const field of ['source', 'firstTimestamp', 'lastTimestamp'] as const) {
    checkImmutable(faults, field, event[field], old[field])
  }
  checkImmutable(faults, 'count', event.count ?? 0, old.count ?? 0)
  // Upstream looks at the reason twice, and so names it twice.
  checkImmutable(faults, 'reason', event.reason ?? '', old.reason ?? '')
  checkImmutable(faults, 'type', event.type ?? '', old.type ?? '')
  checkImmutable(faults, 'eventTime', event.eventTime, old.eventTime)
  checkImmutable(faults, 'action', event.action ?? '', old.action ?? '')
  checkImmutable(faults, 'related', event.related, old.related)
  const controller = event.reportingComponent ?? ''
  checkImmutable(faults, 'reportingController', controller, old.reportingComponent ?? '')
  const instance = event.reportingInstance ?? ''
  checkImmutable(faults, 'reportingInstance', instance, old.reportingInstance ?? '')
}
