// One event in the words of either group (pkg/apis/events/v1/conversion.go).

import type { Event, EventsV1Event } from '../../../schema/generated/types.ts'

/** As the core group says it, which is how events are stored. */
export function coreEventOf(event: EventsV1Event): Event {
  const { regarding, note, reportingController, apiVersion: _version, ...rest } = event
  const { deprecatedSource, deprecatedFirstTimestamp, deprecatedLastTimestamp, ...others } = rest
  const { deprecatedCount, series, reportingInstance, ...same } = others
  return {
    ...same,
    apiVersion: 'v1',
    kind: 'Event',
    involvedObject: regarding ?? {},
    ...given('message', note),
    reportingComponent: reportingController ?? '',
    reportingInstance: reportingInstance ?? '',
    ...given('source', deprecatedSource),
    ...given('firstTimestamp', deprecatedFirstTimestamp),
    ...given('lastTimestamp', deprecatedLastTimestamp),
    ...given('count', deprecatedCount),
    ...given('series', series),
  } as Event
}

/** As events.k8s.io says it. */
export function groupEventOf(event: Event): EventsV1Event {
  const { involvedObject, message, reportingComponent, apiVersion: _version, ...rest } = event
  const { source, firstTimestamp, lastTimestamp, count, series, ...others } = rest
  const { reportingInstance, ...same } = others
  return {
    ...same,
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    ...given('regarding', involvedObject),
    ...given('note', message),
    ...given('reportingController', reportingComponent || undefined),
    ...given('reportingInstance', reportingInstance || undefined),
    ...given('deprecatedSource', source),
    ...given('deprecatedFirstTimestamp', firstTimestamp),
    ...given('deprecatedLastTimestamp', lastTimestamp),
    ...given('deprecatedCount', count),
    ...given('series', series),
  } as EventsV1Event
}

function given(name: string, value: unknown) {
  return value === undefined ? {} : { [name]: value }
}
