// The whole API as a function. Every request, whichever way it came, goes down the same list:
//
//   request info ─► who asks ─► room? ─► may they? ─► resource, stream or document ─► answer
//
// `handle` is the short way for resources; Hono routes the rest, and the calls of this process.

import { type Context, Hono } from 'hono'
import { customResourceDefinitions } from '../api/kinds/apiextensions/customresourcedefinition/row.ts'
import { namespaces } from '../api/kinds/core/namespace/row.ts'
import { services } from '../api/kinds/core/service/row.ts'
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from '../api/kinds/rbac/rbac.ts'
import type { AnyRow, UserInfo } from '../api/resource.ts'
import { OWN_NODE_KEY } from '../pki/node-keys.ts'
import { AUTHORITY_PATH, CLUSTER_PATH, PEERS_PATH } from '../protocol/paths.ts'
import { AdmissionChain } from './admission/chain.ts'
import { admissionPlugins } from './admission/plugins.ts'
import { Authenticator } from './authn/authenticator.ts'
import { certificateUsers, frontProxyUsers } from './authn/certificates.ts'
import { impersonated } from './authn/impersonation.ts'
import { NodeKeys, withNodeKeys } from './authn/node-keys.ts'
import { ServiceAccountUsers } from './authn/service-accounts.ts'
import { BootstrapTokenUsers, bearerCheck } from './authn/tokens.ts'
import { type Access, Authorizer, type DecisionObserver, openPaths } from './authz/authorizer.ts'
import { NodeAuthorizer, PodGraph } from './authz/node.ts'
import { Rbac } from './authz/rbac.ts'
import { accessOf, forbiddenAccess } from './authz/request-access.ts'
import { VolumeGraph } from './authz/volume-graph.ts'
import { ensureFlows } from './bootstrap/flows.ts'
import type { App, RequestEnv } from './contract.ts'
import { CustomDefinitions } from './custom/definitions.ts'
import { definitionHooks } from './custom/deletion.ts'
import { discovery } from './discovery/documents.ts'
import { openApi } from './discovery/openapi.ts'
import { serveResource } from './dispatch.ts'
import { type Flow, FlowControl } from './flowcontrol/flow-control.ts'
import { FlowObjects } from './flowcontrol/flow-objects.ts'
import { Lasting } from './flowcontrol/lasting.ts'
import { Unread } from './flowcontrol/unread.ts'
import { lasts, seatsFor, takesSeat } from './flowcontrol/work.ts'
import { clusterFacts } from './nonresource/cluster.ts'
import { health } from './nonresource/health.ts'
import { clusterAuthority, issuerConfiguration, issuerKeys } from './nonresource/identity.ts'
import { indexPage, onlyGet } from './nonresource/index-page.ts'
import { metrics, ServerMetrics } from './nonresource/metrics.ts'
import { Peers } from './nonresource/peers.ts'
import { StepMetrics } from './nonresource/step-metrics.ts'
import { version } from './nonresource/version.ts'
import { bindingHooks, roleHooks } from './objects/escalation.ts'
import type { KindHooks } from './objects/hooks.ts'
import { namespaceHooks } from './objects/namespace-hooks.ts'
import { ServiceAddresses } from './objects/services/addresses.ts'
import type { Admitted } from './request/admitted.ts'
import { checkDeadline } from './request/deadline.ts'
import { type RequestInfo, requestInfo } from './request/request-info.ts'
import { badPath, errorAnswer, pageNotFound, toApiError } from './response/errors.ts'
import { finish } from './response/finish.ts'
import { issuerOf, type Server, type ServerDeps } from './server.ts'
import { MeasuredStore } from './storage/measured-store.ts'
import { StoreFeed } from './storage/store-feed.ts'
import { storeObjects } from './streams/store-objects.ts'
import type { CallHandler } from './transport/call.ts'
import { type Answer, type Call, decodePath, isPush } from './transport/call.ts'
import { callOf, responseOf } from './transport/fetch-call.ts'
import { upgrade } from './upgrade.ts'

/** `handle` is `fetch` without the detour over Request and Response. */
export interface ServerApp extends App, CallHandler {
  /** Follows the store until `signal` aborts or the store closes; to be run beside the app. */
  run(signal: AbortSignal): Promise<void>
  /** Takes a name for the node in this process; false when it belongs to another machine. */
  claimOwnNode(name: string): Promise<boolean>
}

/** Answers what is no resource: health, version, discovery. */
type Document = (server: Server, admitted: Admitted) => Answer | Promise<Answer>

export function createApp(given: ServerDeps): ServerApp {
  const steps = new StepMetrics(given.metrics)
  const { registry, clock } = given
  const store = new MeasuredStore(given.store, { registry, clock, observer: steps })
  const deps = { ...given, store, steps }
  const feed = new StoreFeed(deps.store, deps.log)
  const definitions = new CustomDefinitions({ ...deps, app: () => app })
  feed.add(definitions)
  const { server, flowObjects } = serverOf(deps, feed)
  server.metrics.watch(server)
  const handle = (call: Call) => answer(server, call, serveResource)
  const hono = routes((call, document) => answer(server, call, document))
  const app: ServerApp = {
    handle,
    fetch: async (request, env) => hono.fetch(request, env),
    upgrade: (call, socket, head) =>
      upgrade({ server, streams: server.streams, tunnels: deps.tunnels }, call, socket, head),
    async run(signal) {
      await Promise.all([
        feed.run(signal),
        definitions.run(signal),
        server.serviceAddresses.run(signal),
        flowObjects.run(app, () => ensureFlows(app), signal),
      ])
    },
    claimOwnNode: (name) => server.nodeKeys.claim(name, { key: OWN_NODE_KEY, shown: OWN_NODE_KEY }),
  }
  return app
}

function serverOf(deps: ServerDeps & { steps: StepMetrics }, feed: StoreFeed) {
  const { store, clock, steps } = deps
  const issuer = issuerOf(deps.settings)
  const { rbac, graph, volumes, authorizer } = rights(steps)
  const mayDo = (access: Access) => authorizer.decide(access).allowed
  const nodeKeys = new NodeKeys(deps)
  const admission = admissionPlugins({ ...deps, issuer, nodeKeys, mayDo, observer: steps })
  const addresses = new ServiceAddresses(deps.settings, deps)
  const peers = new Peers()
  const metrics = new ServerMetrics(deps.metrics)
  const { random, settings } = deps
  const flowControl = new FlowControl({ clock, random, seats: settings.seats, observer: metrics })
  const flowObjects = new FlowObjects({ ...deps, flowControl })
  const indexes = [
    ...rbac.indexes,
    graph,
    volumes,
    ...addresses.indexes,
    peers,
    ...admission.indexes,
    ...flowObjects.indexes,
  ]
  for (const index of indexes) feed.add(index)
  flowObjects.apply()
  const serviceAccounts = new ServiceAccountUsers({
    store,
    clock,
    issuer,
    tokens: deps.pki.tokens,
    audiences: [issuer],
  })
  const bootstrapTokens = new BootstrapTokenUsers(store, clock)
  const server: Server = {
    ...deps,
    metrics,
    flowControl,
    lasting: new Lasting(),
    unread: new Unread(),
    peers,
    issuer,
    rbac,
    serviceAccounts,
    bootstrapTokens,
    nodeKeys,
    serviceAddresses: addresses,
    authenticator: new Authenticator([
      ...[frontProxyUsers, withNodeKeys(nodeKeys, certificateUsers)],
      bearerCheck([serviceAccounts, bootstrapTokens]),
    ]),
    authorizer,
    admission: new AdmissionChain([...admission.plugins, ...(deps.admissionPlugins ?? [])], {
      clock,
      observer: steps,
    }),
    hooks: new Map<AnyRow, KindHooks>([
      [services, addresses.hooks],
      [namespaces, namespaceHooks(clock)],
      [customResourceDefinitions, definitionHooks(clock)],
      ...[roles, clusterRoles].map((row) => [row, roleHooks({ rbac, authorizer })] as const),
      ...[roleBindings, clusterRoleBindings].map(
        (row) => [row, bindingHooks({ rbac, authorizer })] as const,
      ),
    ]),
    streams: streamsOf(deps),
  }
  return { server, flowObjects }
}

function streamsOf({ clock, nodes, log, random, store, registry }: ServerDeps) {
  return { clock, nodes, log, random: () => random.next(), objects: storeObjects(store, registry) }
}

function rights(observer: DecisionObserver) {
  const rbac = new Rbac()
  const graph = new PodGraph()
  const volumes = new VolumeGraph()
  const nodeRules = () =>
    ['system:node', 'kedge:node'].flatMap((role) => rbac.roleRules('ClusterRole', '', role) ?? [])
  const nodeAuthorizer = new NodeAuthorizer(graph, volumes, nodeRules)
  const authorizer = new Authorizer([openPaths, nodeAuthorizer, rbac], observer)
  return { rbac, graph, volumes, authorizer }
}

type Serve = (call: Call, document: Document) => Promise<Answer>

function routes(serve: Serve) {
  const hono = new Hono<{ Bindings: RequestEnv }>()
  const by = (document: Document) => async (context: Context<{ Bindings: RequestEnv }>) => {
    const { raw } = context.req
    const { env } = context
    return responseOf(await serve(callOf(raw, env), document), raw.signal, env.written)
  }
  for (const path of ['/healthz', '/livez', '/readyz']) {
    hono.get(path, by(health)).get(`${path}/*`, by(health))
  }
  hono.all('/', by(indexPage))
  hono.all('/version', by(onlyGet(version))).all('/version/', by(onlyGet(version)))
  hono.all('/.well-known/openid-configuration', by(onlyGet(issuerConfiguration)))
  hono.all('/openid/v1/jwks', by(onlyGet(issuerKeys)))
  hono.get(AUTHORITY_PATH, by(clusterAuthority)).get('/metrics', by(metrics))
  hono.get(CLUSTER_PATH, by(clusterFacts)).get(
    PEERS_PATH,
    by(({ peers }) => peers.answer()),
  )
  for (const path of ['/api', '/api/', '/api/:version', '/api/:version/', '/apis', '/apis/']) {
    hono.all(path, by(discovery))
  }
  for (const path of ['/apis/:group', '/apis/:group/:version']) {
    hono.all(path, by(discovery)).all(`${path}/`, by(discovery))
  }
  hono.all('/openapi/*', by(openApi))
  hono.all('/api/:version/:rest{[^]+}', by(serveResource))
  hono.all('/apis/:group/:version/:rest{[^]+}', by(serveResource))
  hono.all('*', by(pageNotFound))
  return hono
}

/** The list itself. Errors of every step become answers here and nowhere else. */
async function answer(server: Server, call: Call, serve: Document): Promise<Answer> {
  const auditId = call.header('audit-id') ?? server.random.uuid()
  const warnings: string[] = []
  const info = requestInfo(call.method, call.path, call.query)
  const startMs = server.clock.monotonicMs()
  /** Given back when the answer has begun, and when all of it was taken. */
  let brief: (() => void) | undefined
  const whole: (() => void)[] = []
  let ended: { code: number; body?: Answer['body'] } = { code: 0 }
  let flow: Flow | undefined
  server.metrics.begin(info)
  try {
    if (decodePath(call.rawPath) === undefined) return badPath()
    checkDeadline(info, call.query)
    const found = authenticate(server, call)
    const user: UserInfo = found instanceof Promise ? await found : found
    const own = accessOf(info, user, call.query)
    const acting = impersonated(call, own, server.authorizer)
    const access = acting === user ? own : { ...own, user: acting }
    if (lasts(info)) whole.push(server.lasting.enter(acting))
    else if (mayBeLarge(info)) server.unread.check(acting)
    if (takesSeat(info)) flow = server.flowControl.find(info, acting)
    const entering = takesSeat(info) ? enter(server, call, info, flow) : undefined
    brief = (entering instanceof Promise ? await entering : entering)?.leave
    authorize(server, access)
    const served = serve(server, { call, info, user: acting, warnings })
    const done = served instanceof Promise ? await served : served
    ended = done
    nameFlow(done, flow)
    const answered = finish(server.metrics.whileWritten(info, done), call, auditId, warnings)
    const answer = answered instanceof Promise ? await answered : answered
    const bytes = lasts(info) ? 0 : bytesOf(answer)
    if (bytes > SMALL_BYTES) {
      whole.push(server.unread.add(acting, bytes), ...(brief ? [brief] : []))
      brief = undefined
    }
    return whenTaken(answer, whole.splice(0))
  } catch (error) {
    const fault = toApiError(error, server.log)
    ended = { code: fault.code }
    return finish(nameFlow(errorAnswer(call, fault), flow), call, auditId, warnings)
  } finally {
    brief?.()
    for (const leave of whole) leave()
    server.metrics.note(info, ended, (server.clock.monotonicMs() - startMs) / 1000)
  }
}

/** Those within this process need not show who they are. */
function authenticate({ authenticator, steps, clock }: Server, call: Call) {
  if (call.env.user !== undefined) return authenticator.authenticate(call)
  const beganMs = clock.monotonicMs()
  const tell = (user: UserInfo | undefined) =>
    steps.authenticated(user, (clock.monotonicMs() - beganMs) / 1000)
  const known = (user: UserInfo) => {
    tell(user)
    return user
  }
  const refused = (error: unknown): never => {
    tell(undefined)
    throw error
  }
  try {
    const found = authenticator.authenticate(call)
    return found instanceof Promise ? found.then(known, refused) : known(found)
  } catch (error) {
    return refused(error)
  }
}

/** Throws 403. */
function authorize({ authorizer, steps, clock }: Server, access: Access): void {
  const beganMs = clock.monotonicMs()
  const { allowed, reason } = authorizer.decide(access)
  steps.authorized(allowed, (clock.monotonicMs() - beganMs) / 1000)
  if (!allowed) throw forbiddenAccess(access, reason)
}

/** By their UIDs: names may tell what nobody should know. */
function nameFlow(answer: Answer, flow: Flow | undefined): Answer {
  if (flow?.levelUid !== undefined) answer.headers[LEVEL_HEADER] = flow.levelUid
  if (flow?.schemaUid !== undefined) answer.headers[SCHEMA_HEADER] = flow.schemaUid
  return answer
}

const LEVEL_HEADER = 'x-kubernetes-pf-prioritylevel-uid'
const SCHEMA_HEADER = 'x-kubernetes-pf-flowschema-uid'

function enter(server: Server, call: Call, info: RequestInfo, flow: Flow | undefined) {
  return server.flowControl.enter(flow, {
    seats: () => seatsFor(server, info, call.query),
    gone: () => call.signal,
  })
}

/** Who has answers to read may still ask whether the server is well. */
function mayBeLarge({ isResource, path }: RequestInfo): boolean {
  return isResource || path.startsWith('/openapi/')
}

/** What fits into the socket. */
const SMALL_BYTES = 16 * 1024
/** What is made ahead, at most, of what is sent as it is read. */
const PUSHED_BYTES = 1024 * 1024

/** Of what has an end: how much of it lies in memory until it is taken. */
function bytesOf({ body }: Answer): number {
  if (typeof body === 'string' || body instanceof Uint8Array) return body.length
  return isPush(body) && body.isDocument ? PUSHED_BYTES : 0
}

function whenTaken(answer: Answer, leaves: readonly (() => void)[]): Answer {
  if (leaves.length === 0) return answer
  const whenWritten = () => {
    for (const leave of leaves) leave()
  }
  return { ...answer, whenWritten }
}
