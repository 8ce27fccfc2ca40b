// Reads cases/*.http: requests as text, with a name and options each.

export type CaseRequest = {
  readonly name: string
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Paths of the answer's body that are left out: `.status.conditions`. */
  readonly ignore: readonly string[]
  /** Lists in the answer's body whose order is chance, because Kubernetes walks a map. */
  readonly unordered: readonly string[]
  /** Names of headers that are compared too. */
  readonly compareHeaders: readonly string[]
}

/** The requests of one file, in order. Throws on a block without a request line. */
export function parseRequests(text: string): CaseRequest[] {
  return text
    .split(/^###/m)
    .slice(1)
    .map((block) => parseBlock(block))
}

function parseBlock(block: string): CaseRequest {
  const [title, ...lines] = block.split('\n')
  const name = title!.trim()
  const ignore: string[] = []
  const unordered: string[] = []
  const compareHeaders: string[] = []
  while (lines.length > 0 && (lines[0]!.trim() === '' || lines[0]!.startsWith('#'))) {
    const [word, ...values] = lines.shift()!.replace(/^[# ]+/, '').split(/\s+/)
    if (word === 'ignore') ignore.push(...values)
    if (word === 'unordered') unordered.push(...values)
    if (word === 'headers') compareHeaders.push(...values)
  }
  const [, method, target] = /^(\w+) (.*)$/.exec(lines.shift()?.trim() ?? '') ?? []
  if (!method || !target) throw new Error(`no request line in "${name}"`)
  const headers: Record<string, string> = {}
  while (lines.length > 0 && lines[0]!.trim() !== '') {
    const line = lines.shift()!
    const colon = line.indexOf(':')
    headers[line.slice(0, colon).trim()] = line.slice(colon + 1).trim()
  }
  const body = lines.slice(1).join('\n').replace(/^\n+|\n+$/g, '')
  return { name, method, target, headers, body, ignore, unordered, compareHeaders }
}
