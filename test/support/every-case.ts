// Runs `body` once for every combination of the choices it makes.
//
// Each run records (choice, bound) pairs. The next run replays them with the last choice that is not
// exhausted advanced, like an odometer whose wheels are found while driving.

export type Choose = <T>(options: readonly T[]) => T

/** Returns the number of combinations. */
export function everyCase(body: (choose: Choose) => void, casesMax = 100_000): number {
  const wheels: { at: number; of: number }[] = []
  for (let cases = 1; cases <= casesMax; cases++) {
    let depth = 0
    body((options) => {
      const wheel = wheels[depth] ?? { at: 0, of: options.length }
      wheels[depth] = wheel
      depth++
      return options[wheel.at]!
    })
    while (wheels.length > 0 && wheels.at(-1)!.at === wheels.at(-1)!.of - 1) wheels.pop()
    if (wheels.length === 0) return cases
    wheels.at(-1)!.at++
  }
  throw new Error(`everyCase: more than ${casesMax} cases`)
}
