// The whole API as a function. Every request, whichever way it came, goes down the same list:
//
//   request info ─► who asks ─► room? ─► may they? ─► resource, stream or document ─► answer
//
// `handle` is the short way for resources; Hono routes the rest, and the calls of this process.

import { type Context, Hono } from 'hono'
import type { UserInfo } from '../api/resource.ts'
import { AdmissionChain } from './admission/chain.ts'
import { Authenticator } from './authn/authenticator.ts'
import { Authorizer } from './authz/authorizer.ts'
import { accessOf, forbiddenAccess } from './authz/request-access.ts'
import type { Answer, Call } from './call.ts'
import { callOf, responseOf } from './call-fetch.ts'
import type { App, RequestEnv } from './contract.ts'
import { errorAnswer, pageNotFound, toApiError } from './errors.ts'
import { finish } from './finish.ts'
import { Following } from './follow.ts'
import { InFlight } from './limits.ts'
import { requestInfo } from './request-info.ts'
import { type Admitted, serveResource } from './resources.ts'
import type { Server, ServerDeps } from './server.ts'

export interface ServerApp extends App {
  /** One request, without the detour over Request and Response. Never throws. */
  handle(call: Call): Promise<Answer>
  /** Follows the store until `signal` aborts or the store closes; to be run beside the app. */
  run(signal: AbortSignal): Promise<void>
}

/** Answers what is no resource: health, version, discovery. */
type Document = (server: Server, admitted: Admitted) => Answer | Promise<Answer>

export function createApp(deps: ServerDeps): ServerApp {
  const following = new Following(deps.store, deps.log)
  const server: Server = {
    ...deps,
    authenticator: new Authenticator([]),
    authorizer: new Authorizer([]),
    admission: new AdmissionChain([]),
    hooks: new Map(),
    published: following,
  }
  const { settings } = deps
  const inFlight = new InFlight({ reads: settings.readsMax, writes: settings.writesMax })
  const handle = (call: Call) => answer(server, inFlight, call, serveResource)
  const hono = routes((call, document) => answer(server, inFlight, call, document))
  return {
    handle,
    fetch: async (request, env) => hono.fetch(request, env),
    run: (signal) => following.run(signal),
  }
}

type Serve = (call: Call, document: Document) => Promise<Answer>

function routes(serve: Serve) {
  const hono = new Hono<{ Bindings: RequestEnv }>()
  const by = (document: Document) => async (context: Context<{ Bindings: RequestEnv }>) => {
    const { raw } = context.req
    return responseOf(await serve(callOf(raw, context.env), document), raw.signal)
  }
  hono.all('/api/:version/:rest{.+}', by(serveResource))
  hono.all('/apis/:group/:version/:rest{.+}', by(serveResource))
  hono.all('*', by(pageNotFound))
  return hono
}

/** The list itself. Errors of every step become answers here and nowhere else. */
async function answer(
  server: Server,
  inFlight: InFlight,
  call: Call,
  serve: Document,
): Promise<Answer> {
  const auditId = call.header('audit-id') ?? server.random.uuid()
  const warnings: string[] = []
  let leave: (() => void) | undefined
  try {
    const info = requestInfo(call.method, call.path, call.query)
    const found = server.authenticator.authenticate(call)
    const user: UserInfo = found instanceof Promise ? await found : found
    leave = inFlight.enter(info, user)
    const access = accessOf(info, user)
    const decision = server.authorizer.decide(access)
    if (!decision.allowed) throw forbiddenAccess(access, decision.reason)
    const served = serve(server, { call, info, user, warnings })
    const done = served instanceof Promise ? await served : served
    return finish(done, call, auditId, warnings)
  } catch (error) {
    const fault = toApiError(error, server.log)
    return finish(errorAnswer(call, fault), call, auditId, warnings)
  } finally {
    leave?.()
  }
}
