// References of the form $(NAME) in values, arguments and paths. `$$` is a dollar sign; a reference
// that nothing answers stays as it is. Pure.

export function expand(input: string, lookUp: (name: string) => string | undefined): string {
  let output = ''
  for (let at = 0; at < input.length; at++) {
    const letter = input[at]!
    const next = input[at + 1]
    if (letter !== '$' || next === undefined) {
      output += letter
      continue
    }
    const end = next === '(' ? input.indexOf(')', at + 2) : -1
    if (next === '$') {
      output += '$'
      at += 1
    } else if (end >= 0) {
      const name = input.slice(at + 2, end)
      output += lookUp(name) ?? `$(${name})`
      at = end
    } else output += letter
  }
  return output
}

/** As `expand`, but a reference that nothing answers is an error (paths of volume mounts). */
export function expandAll(input: string, lookUp: (name: string) => string | undefined): string {
  return expand(input, (name) => {
    const value = lookUp(name)
    if (value === undefined) throw new Error(`missing value for "${name}"`)
    return value
  })
}
