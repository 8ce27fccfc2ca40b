// What a node translates: an address that clients send to, and the backends that answer there.
// Services, host ports and load balancers say theirs in these words.

export type Protocol = 'tcp' | 'udp' | 'sctp'

export type Backend = { readonly ip: string; readonly port: number }

export type Frontend = {
  readonly protocol: Protocol
  /** undefined: every address of this node. */
  readonly address: string | undefined
  readonly port: number
}

export type Translation = Frontend & { readonly backends: readonly Backend[] }

/** The same text for the same frontend. */
export function frontendKey({ address, protocol, port }: Frontend): string {
  return `${address ?? '*'} ${protocol} ${port}`
}
