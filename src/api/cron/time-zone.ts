// Time zones by their IANA names, and what their clocks show.

/** No component is longer, or has other letters (https://data.iana.org/time-zones/theory.html). */
const COMPONENT = /^[A-Za-z.\-_0-9+]{1,14}$/

/** Milliseconds that the clocks of a zone are ahead of UTC at a moment. */
export type ZoneOffset = (ms: number) => number

export const UTC: ZoneOffset = () => 0

/** Whether every part of the name could be one; what else is wrong with it, `zoneOffset` says. */
export function isZoneName(name: string): boolean {
  return name
    .split('/')
    .every((part) => !['.', '..'].includes(part) && !part.startsWith('-') && COMPONENT.test(part))
}

/** Undefined when there is no such zone. Names are spelled in one way, also in capitals. */
export function zoneOffset(name: string): ZoneOffset | undefined {
  if (name === '' || name === 'UTC') return UTC
  if (!isZoneName(name) || canonicalName(name) !== name) return undefined
  return (ms) => {
    const at = Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(name)
    return at.offsetNanoseconds / 1_000_000
  }
}

/** The name as the zone's own list spells it. */
function canonicalName(name: string): string | undefined {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone
  } catch {
    return undefined
  }
}
