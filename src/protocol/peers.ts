// What nodes must know of each other to route between their pods. A node sees no other Node object,
// so this is told at a path of its own, as lines that never end:
//
//   {"type":"PEER","name":"a","internalIps":["192.0.2.1"],"podCidrs":["10.42.0.0/24"]}
//   {"type":"SYNCED"}                                            all that there are have been told
//   {"type":"GONE","name":"a"}

export type NodeRoute = {
  readonly name: string
  readonly internalIps: readonly string[]
  readonly podCidrs: readonly string[]
}

export type PeerLine =
  | ({ type: 'PEER' } & NodeRoute)
  | { type: 'GONE'; name: string }
  | { type: 'SYNCED' }
