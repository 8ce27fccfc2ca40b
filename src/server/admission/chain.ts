// Admission: an ordered list of plugins that may change a write, then refuse it.

import type { AnyObject } from '../../api/object.ts'
import { forbidden } from '../../api/status.ts'
import type { Clock } from '../../lib/clock.ts'
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

/** The two passes over the list. */
export type Step = 'admit' | 'validate'
/** Is told how long something took, and whether it refused. */
export type Timed = (seconds: number, isRejected: boolean) => void

/** Is told how long the plug-ins take. */
export interface AdmissionObserver {
  step(step: Step, operation: Operation): Timed
  plugin(name: string, step: Step, operation: Operation): Timed
}

const OPERATIONS = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'] as const
const WRITING: readonly Operation[] = ['CREATE', 'UPDATE', 'DELETE']

export class AdmissionChain {
  /** The names of all plugins, in order. */
  readonly names: readonly string[]
  readonly #clock: Clock
  readonly #passes: Readonly<Record<Step, Readonly<Record<Operation, Pass>>>>

  constructor(
    plugins: readonly AdmissionPlugin[],
    { clock, observer }: { clock: Clock; observer: AdmissionObserver },
  ) {
    this.names = plugins.map(({ name }) => name)
    this.#clock = clock
    this.#passes = {
      admit: passes(plugins, 'admit', observer),
      validate: passes(plugins, 'validate', observer),
    }
  }

  admit(attributes: Attributes): Promise<void> {
    return this.#run('admit', attributes)
  }

  validate(attributes: Attributes): Promise<void> {
    return this.#run('validate', attributes)
  }

  async #run(step: Step, attributes: Attributes): Promise<void> {
    const { asked, told } = this.#passes[step][attributes.operation]
    const startMs = this.#clock.monotonicMs()
    let beganMs = startMs
    let current: Asked | undefined
    try {
      for (current of asked) {
        // Most plugins answer at once; only those that ask somebody are waited for.
        const pending = current.plugin[step]?.(attributes)
        if (pending) await pending
        const nowMs = this.#clock.monotonicMs()
        current.told((nowMs - beganMs) / 1000, false)
        beganMs = nowMs
      }
      told((beganMs - startMs) / 1000, false)
    } catch (error) {
      const nowMs = this.#clock.monotonicMs()
      current?.told((nowMs - beganMs) / 1000, true)
      told((nowMs - startMs) / 1000, true)
      throw error
    }
  }
}

type Asked = { readonly plugin: AdmissionPlugin; readonly told: Timed }
/** Whom one step asks about one operation, in order. */
type Pass = { readonly asked: readonly Asked[]; readonly told: Timed }

function passes(plugins: readonly AdmissionPlugin[], step: Step, observer: AdmissionObserver) {
  const byOperation = OPERATIONS.map((operation): [Operation, Pass] => {
    const handling = plugins.filter((plugin) => {
      const { handles = WRITING } = plugin
      return plugin[step] !== undefined && handles.includes(operation)
    })
    const asked = handling.map((plugin) => ({
      plugin,
      told: observer.plugin(plugin.name, step, operation),
    }))
    return [operation, { asked, told: observer.step(step, operation) }]
  })
  return Object.fromEntries(byOperation) as Record<Operation, Pass>
}

/** A refusal in upstream's form: `pods "x" is forbidden: why`. */
export function refused(attributes: Attributes, why: string) {
  const { request, name, object } = attributes
  const shown = name || object?.metadata.name || object?.metadata.generateName || ''
  return forbidden(request.row, shown === '' ? 'Unknown' : shown, why)
}
