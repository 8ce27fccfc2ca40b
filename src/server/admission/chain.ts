// Admission: an ordered list of plugins that may change a write, then refuse it.

import type { AnyObject } from '../../api/object.ts'
import { forbidden } from '../../api/status.ts'
import type { AdmittedResource } from '../request/admitted.ts'

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'

export type Kind = { readonly group: string; readonly version: string; readonly kind: string }

export type Attributes = {
  readonly request: AdmittedResource
  readonly operation: Operation
  /** What `object` is: of the row's kind, or what its sub-resource is sent (Scale, Binding). */
  readonly kind: Kind
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
  /** Upstream's name. */
  readonly name: string
  /** What it is asked about. Default: all that writes. */
  readonly handles?: readonly Operation[]
  /** May change `object`. Throws ApiError to refuse. */
  admit?(attributes: Attributes): void | Promise<void>
  /** Sees what will be stored. Throws ApiError to refuse. */
  validate?(attributes: Attributes): void | Promise<void>
}

const OPERATIONS = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'] as const
const WRITING: readonly Operation[] = ['CREATE', 'UPDATE', 'DELETE']

export class AdmissionChain {
  /** The names of all plugins, in order. */
  readonly names: readonly string[]
  readonly #admitters: Readonly<Record<Operation, readonly AdmissionPlugin[]>>
  readonly #validators: Readonly<Record<Operation, readonly AdmissionPlugin[]>>

  constructor(plugins: readonly AdmissionPlugin[]) {
    this.names = plugins.map(({ name }) => name)
    this.#admitters = byOperation(plugins.filter((plugin) => plugin.admit !== undefined))
    this.#validators = byOperation(plugins.filter((plugin) => plugin.validate !== undefined))
  }

  async admit(attributes: Attributes): Promise<void> {
    for (const plugin of this.#admitters[attributes.operation]) {
      // Most plugins answer at once; only those that ask somebody are waited for.
      const pending = plugin.admit?.(attributes)
      if (pending) await pending
    }
  }

  async validate(attributes: Attributes): Promise<void> {
    for (const plugin of this.#validators[attributes.operation]) {
      const pending = plugin.validate?.(attributes)
      if (pending) await pending
    }
  }
}

function byOperation(plugins: readonly AdmissionPlugin[]) {
  const asked = OPERATIONS.map((operation) => [
    operation,
    plugins.filter(({ handles = WRITING }) => handles.includes(operation)),
  ])
  return Object.fromEntries(asked) as Record<Operation, AdmissionPlugin[]>
}

/** A refusal in upstream's form: `pods "x" is forbidden: why`. */
export function refused(attributes: Attributes, why: string) {
  const { request, name, object } = attributes
  const shown = name || object?.metadata.name || object?.metadata.generateName || ''
  return forbidden(request.row, shown === '' ? 'Unknown' : shown, why)
}
