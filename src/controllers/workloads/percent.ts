/** A count, or a percentage of a whole. */
export function scaled(
  value: number | string,
  whole: number,
  round: (count: number) => number,
): number {
  if (typeof value === 'number') return value
  return round((Number.parseInt(value, 10) * whole) / 100)
}
