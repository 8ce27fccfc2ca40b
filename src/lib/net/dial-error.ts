// Why a connection could not be made, in Go's words, which are the ones that people search for.

const WORDS: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'connect: connection refused'],
  ['EHOSTUNREACH', 'connect: no route to host'],
  ['ENETUNREACH', 'connect: network is unreachable'],
  ['ECONNRESET', 'connect: connection reset by peer'],
  ['ETIMEDOUT', 'i/o timeout'],
])

/** `10.1.2.3:80`, `[fd00::1]:80` */
export function joinHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** `dial tcp 10.0.0.1:80: connect: connection refused` */
export function dialError(host: string, port: number, cause: unknown): Error {
  const { code, message } = cause as Error & { code?: string }
  const why = WORDS.get(code ?? '') ?? message
  return new Error(`dial tcp ${joinHostPort(host, port)}: ${why}`, { cause })
}
