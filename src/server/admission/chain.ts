// Admission: an ordered list of plugins that may change a write, then refuse it.

import type { AnyObject } from '../../api/object.ts'
import { forbidden } from '../../api/status.ts'
import type { ResourceRequest } from '../server.ts'

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'

export type Attributes = {
  readonly request: ResourceRequest
  readonly operation: Operation
  readonly subresource: string
  readonly namespace: string
  /** Empty while a name is still to be generated. */
  readonly name: string
  /** What is written; undefined for deletions. Plugins change it in place. */
  readonly object: AnyObject | undefined
  /** What stands there. */
  readonly old: AnyObject | undefined
  readonly dryRun: boolean
}

export interface AdmissionPlugin {
  readonly name: string
  /** May change `object`. Throws ApiError to refuse. */
  admit?(attributes: Attributes): void | Promise<void>
  /** Sees what will be stored. Throws ApiError to refuse. */
  validate?(attributes: Attributes): void | Promise<void>
}

export class AdmissionChain {
  readonly #admitters: readonly AdmissionPlugin[]
  readonly #validators: readonly AdmissionPlugin[]

  constructor(plugins: readonly AdmissionPlugin[]) {
    this.#admitters = plugins.filter((plugin) => plugin.admit !== undefined)
    this.#validators = plugins.filter((plugin) => plugin.validate !== undefined)
  }

  async admit(attributes: Attributes): Promise<void> {
    for (const plugin of this.#admitters) {
      // Most plugins answer at once; only those that ask somebody are waited for.
      const pending = plugin.admit?.(attributes)
      if (pending) await pending
    }
  }

  async validate(attributes: Attributes): Promise<void> {
    for (const plugin of this.#validators) {
      const pending = plugin.validate?.(attributes)
      if (pending) await pending
    }
  }
}

/** A refusal in upstream's form: `pods "x" is forbidden: why`. */
export function refused(attributes: Attributes, why: string) {
  const { request, name, object } = attributes
  const shown = name || object?.metadata.name || object?.metadata.generateName || ''
  return forbidden(request.row, shown === '' ? 'Unknown' : shown, why)
}
