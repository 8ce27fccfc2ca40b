// What the parts of the server share: what the daemon gave it, and what it keeps itself.

import type { Registry } from '../api/registry.ts'
import type { RequestContext } from '../api/resource.ts'
import type { Clock } from '../lib/clock.ts'
import type { Cidr } from '../lib/ip.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import type { Random } from '../lib/random.ts'
import type { ServiceAccountTokens } from '../pki/service-account.ts'
import type { ClusterFacts } from '../protocol/cluster.ts'
import type { Store } from '../store/store.ts'
import type { AdmissionChain, AdmissionPlugin } from './admission/chain.ts'
import type { PodSecuritySettings } from './admission/podsecurity/configuration.ts'
import type { Authenticator } from './authn/authenticator.ts'
import type { NodeKeys } from './authn/node-keys.ts'
import type { ServiceAccountUsers } from './authn/service-accounts.ts'
import type { TokenUsers } from './authn/tokens.ts'
import type { Authorizer } from './authz/authorizer.ts'
import type { Rbac } from './authz/rbac.ts'
import type { NodeDialer } from './contract.ts'
import type { FlowControl } from './flowcontrol/flow-control.ts'
import type { Lasting } from './flowcontrol/lasting.ts'
import type { Unread } from './flowcontrol/unread.ts'
import type { ServerMetrics } from './nonresource/metrics.ts'
import type { Peers } from './nonresource/peers.ts'
import type { StepMetrics } from './nonresource/step-metrics.ts'
import type { ObjectHooks } from './objects/hooks.ts'
import type { ServiceAddresses } from './objects/services/addresses.ts'
import type { AdmittedResource } from './request/admitted.ts'
import type { StreamDeps } from './streams/contract.ts'
import type { Tunnels } from './streams/tunnels.ts'
import type { Answer } from './transport/call.ts'

export type ServerPki = {
  /** Of the authority that signs client certificates and our own; served at /cacerts. */
  clusterCaPem: string
  tokens: ServiceAccountTokens
}

export type ServerSettings = {
  serviceCidr: Cidr
  nodePorts: { first: number; last: number }
  clusterDomain: string
  /** What nodes are told of the cluster when they ask; the daemon knows what is in it. */
  clusterFacts?: Readonly<ClusterFacts>
  /** Where the kubernetes Service points to. */
  advertiseAddress: string
  advertisePort: number
  /** Issuer of service-account tokens. Default: https://kubernetes.default.svc.<domain> */
  issuer?: string
  /** Default: nothing is enforced where labels say nothing, and nobody is exempt. */
  podSecurity?: PodSecuritySettings
  /** Requests that are carried out at once; how they are shared out says flowcontrol/. */
  seats?: number
}

export type ReadyCheck = { readonly name: string; fault(): string | undefined }

export type ServerDeps = {
  /** All numbers of this process: those of the server are added, and /metrics shows them all. */
  metrics: Metrics
  store: Store
  registry: Registry
  clock: Clock
  random: Random
  log: Log
  pki: ServerPki
  settings: ServerSettings
  /** Asked for readiness, beside the server's own: what is wrong, or nothing. */
  checks?: readonly ReadyCheck[]
  nodes: NodeDialer
  /** Takes the connections of nodes elsewhere; undefined where nobody may dial in. */
  tunnels?: Pick<Tunnels, 'accept'>
  /** Asked about every write after the built-in ones. */
  admissionPlugins?: readonly AdmissionPlugin[]
}

export type Server = Omit<ServerDeps, 'metrics'> & {
  issuer: string
  metrics: ServerMetrics
  steps: StepMetrics
  flowControl: FlowControl
  lasting: Lasting
  unread: Unread
  peers: Peers
  rbac: Rbac
  serviceAccounts: ServiceAccountUsers
  bootstrapTokens: TokenUsers
  nodeKeys: NodeKeys
  serviceAddresses: Pick<ServiceAddresses, 'run'>
  authenticator: Authenticator
  authorizer: Authorizer
  admission: AdmissionChain
  hooks: ObjectHooks
  streams: StreamDeps
}

export function issuerOf({ issuer, clusterDomain }: ServerSettings): string {
  return issuer ?? `https://kubernetes.default.svc.${clusterDomain}`
}

/** One request for a resource, after it was let in, and who answers it. */
export type ResourceRequest = AdmittedResource & { readonly server: Server }

export function contextOf(request: ResourceRequest): RequestContext {
  const { clock, random } = request.server
  return { nowMs: clock.nowMs(), user: request.user, uuid: () => random.uuid() }
}

export type Handler = (request: ResourceRequest) => Answer | Promise<Answer>
