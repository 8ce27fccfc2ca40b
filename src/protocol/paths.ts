// Where a node asks its server for what is no resource.

/** The authority of the cluster, as PEM, for whoever holds the hash of it. */
export const AUTHORITY_PATH = '/cacerts'
/** `ClusterFacts`, for any node. */
export const CLUSTER_PATH = '/kedge/v1/cluster'
/** Lines of `PeerLine` that never end. */
export const PEERS_PATH = '/kedge/v1/peers'
/** A WebSocket over which the server opens streams to the node. */
export const TUNNEL_PATH = '/kedge/v1/tunnel'
/** The sub-protocol of that WebSocket. */
export const TUNNEL_PROTOCOL = 'tunnel.kedge.dev'
