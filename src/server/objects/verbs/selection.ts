// Which objects of a kind a list, a watch or a deletion is about.

import { type FieldTerm, matchesFields, parseFieldSelector } from '../../../api/field-selector.ts'
import type { AnyObject } from '../../../api/object.ts'
import type { AnyRow } from '../../../api/resource.ts'
import {
  matchesLabels,
  parseLabelSelector,
  type Requirement,
  SelectorError,
} from '../../../api/selector.ts'
import { badRequest } from '../../../api/status.ts'
import { own } from '../../../lib/own.ts'
import type { Entry } from '../../../store/store.ts'
import { sharedLabels, sharedObject } from '../../response/watch-events.ts'
import type { ResourceRequest } from '../../server.ts'
import { keyPart, storeKey, storePrefix } from '../../storage/stored.ts'

export type Selection = {
  readonly prefix: string
  /** When only one object can match. */
  readonly key: string | undefined
  /** Nothing is asked for beyond the prefix. */
  readonly isEverything: boolean
  readonly matches: (entry: Entry) => boolean
}

type Asked = { labelSelector: string; fieldSelector: string }

export function selectionOf(request: ResourceRequest, asked: Asked): Selection {
  const { row, info } = request
  const labels = parsed(() => parseLabelSelector(asked.labelSelector))
  const terms = parsed(() => parseFieldSelector(asked.fieldSelector))
  for (const term of terms) checkField(row, term.field)
  const name = nameAsked(request, terms)
  const namespace = info.namespace || exactly(terms, 'metadata.namespace') || ''
  const isPlaced = row.scope === 'Cluster' || namespace !== ''
  const isEverything = labels.length === 0 && terms.length === 0 && name === undefined
  return {
    prefix: storePrefix(row, namespace),
    key: name !== undefined && isPlaced ? storeKey(row, namespace, name) : undefined,
    isEverything,
    matches: isEverything ? () => true : matcher(row, { labels, terms, name }),
  }
}

function parsed<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (error instanceof SelectorError) throw badRequest(error.message)
    throw error
  }
}

function checkField(row: AnyRow, field: string): void {
  // Upstream: kinds with fields of their own list them all, and clusterwide ones no namespace.
  const ownFields = row.custom !== undefined || Object.keys(row.selectable).length > 0
  if (field === 'metadata.namespace' && !(ownFields && row.scope === 'Cluster')) return
  if (field === 'metadata.name' || Object.hasOwn(row.selectable, field)) return
  if (ownFields) throw badRequest(row.unknownField(field))
  const known = '"metadata.name", "metadata.namespace"'
  throw badRequest(`${JSON.stringify(field)} is not a known field selector: only ${known}`)
}

function exactly(terms: readonly FieldTerm[], field: string): string | undefined {
  return terms.find((term) => term.field === field && term.operator === '=')?.value
}

/** The one name that can match: from the path (a watch of one object) or from the selector. */
function nameAsked({ info }: ResourceRequest, terms: readonly FieldTerm[]): string | undefined {
  const selected = exactly(terms, 'metadata.name')
  if (!info.namedByPath) return selected
  if (terms.length > 0 && selected !== info.name) {
    throw badRequest("fieldSelector metadata.name doesn't match requested name")
  }
  return info.name
}

type Wanted = {
  labels: readonly Requirement[]
  terms: readonly FieldTerm[]
  name: string | undefined
}

function matcher(row: AnyRow, { labels, terms, name }: Wanted): (entry: Entry) => boolean {
  const end = name === undefined ? '' : `/${keyPart(name)}`
  return (entry) => {
    if (!entry.key.endsWith(end)) return false
    if (labels.length > 0 && !matchesLabels(labels, sharedLabels(row, entry))) return false
    if (terms.length === 0) return true
    const object = sharedObject(row, entry)
    return matchesFields(terms, (field) => fieldOf(row, object, field))
  }
}

function fieldOf(row: AnyRow, object: AnyObject, field: string): string {
  if (field === 'metadata.name') return object.metadata.name ?? ''
  if (field === 'metadata.namespace') return object.metadata.namespace ?? ''
  return own(row.selectable, field)?.(object) ?? ''
}
