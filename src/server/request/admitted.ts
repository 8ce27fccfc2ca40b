// A request on its way through the server, once it is known who asks and that they may.

import type { AnyRow, UserInfo } from '../../api/resource.ts'
import type { Call } from '../transport/call.ts'
import type { RequestInfo } from './request-info.ts'

/** What a let-in request has come to: who asks, and the warnings it has gathered. */
export type Admitted = {
  readonly call: Call
  readonly info: RequestInfo
  readonly user: UserInfo
  /** Texts for Warning headers, in order. */
  readonly warnings: string[]
}

/** One that is about a resource: all that hooks and admission know of it. */
export type AdmittedResource = Admitted & {
  readonly row: AnyRow
  /** What admission has to say of the request, beyond letting it pass, for those who audit it. */
  readonly auditAnnotations: Map<string, string>
}
