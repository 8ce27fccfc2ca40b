// Sets of fields, in the very form FieldsV1 has on the wire: a tree whose keys are steps.
//
//   {"f:data": {".": {}, "f:k": {}}}     holds .data and .data.k
//   {"f:data": {"f:k": {}}}              holds .data.k, but not .data
//
// A node without keys is a member; a node with "." is a member that has members below. The top is
// not a field: {} there is the empty set. Sets are values: no function changes its arguments, and
// results share nodes with them.

import { canonicalStep, compareSteps, fieldStep } from './path.ts'

export type Fields = { readonly [step: string]: Fields }
type Building = { [step: string]: Fields }

export const MEMBER: Fields = Object.freeze({})
export const NOTHING: Fields = Object.freeze({})
const SELF = '.'

export function isEmpty(set: Fields): boolean {
  for (const _ in set) return false
  return true
}

/** Is this node a member itself? Not to be asked of the top. */
export function isMember(node: Fields | undefined): boolean {
  return node !== undefined && (node[SELF] !== undefined || isEmpty(node))
}

function hasChildren(node: Fields): boolean {
  for (const step in node) if (step !== SELF) return true
  return false
}

/** A set from dotted names: `fieldsOf('status', 'spec.replicas')`. */
export function fieldsNamed(...paths: readonly string[]): Fields {
  let set = NOTHING
  for (const path of paths) {
    const steps = path.split('.').map(fieldStep)
    set = union(
      set,
      steps.reduceRight((below: Fields, step) => ({ [step]: below }), MEMBER),
    )
  }
  return set
}

/** `below` with its own top as a member. */
export function asMember(below: Fields | undefined): Fields {
  if (below === undefined || !hasChildren(below)) return MEMBER
  return below[SELF] === undefined ? { [SELF]: MEMBER, ...below } : below
}

export function union(a: Fields, b: Fields): Fields {
  if (a === b || isEmpty(b)) return a
  if (isEmpty(a)) return b
  return mergeNodes(a, b)
}

function mergeNodes(a: Fields, b: Fields): Fields {
  const result: Building = { ...a }
  for (const step in b) {
    const mine = result[step]
    result[step] = mine === undefined ? b[step]! : unionOfNodes(mine, b[step]!)
  }
  return result
}

function unionOfNodes(a: Fields, b: Fields): Fields {
  if (a === b) return a
  if (isEmpty(a)) return asMember(b)
  if (isEmpty(b)) return asMember(a)
  return mergeNodes(a, b)
}

/** Members of `a` that are not members of `b`; a parent in `b` does not take children with it. */
export function difference(a: Fields, b: Fields): Fields {
  return isEmpty(a) || isEmpty(b) ? a : (withoutMembers(a, b, false) ?? NOTHING)
}

/** As `difference`, but what is below a member of `b` goes too. */
export function recursiveDifference(a: Fields, b: Fields): Fields {
  return isEmpty(a) || isEmpty(b) ? a : (withoutMembers(a, b, true) ?? NOTHING)
}

function withoutMembers(a: Fields, b: Fields, recursive: boolean): Fields | undefined {
  let result: Building | undefined
  for (const step in b) {
    const mine = a[step]
    if (mine === undefined) continue
    const left = step === SELF ? undefined : nodeWithout(mine, b[step]!, recursive)
    if (left === mine) continue
    result ??= { ...a }
    if (left === undefined) delete result[step]
    else result[step] = left
  }
  return result === undefined ? a : tidy(result)
}

function nodeWithout(mine: Fields, theirs: Fields, recursive: boolean): Fields | undefined {
  const taken = isMember(theirs)
  if (taken && recursive) return undefined
  if (isEmpty(mine)) return taken ? undefined : mine
  if (isEmpty(theirs)) {
    if (mine[SELF] === undefined) return mine
    const { [SELF]: _, ...children } = mine
    return tidy(children)
  }
  return withoutMembers(mine, theirs, recursive)
}

/** Undefined when nothing is left; the plain member when only the node itself is. */
function tidy(node: Building): Fields | undefined {
  let children = false
  for (const step in node) {
    if (step !== SELF) {
      children = true
      break
    }
  }
  if (children) return node
  return node[SELF] === undefined ? undefined : MEMBER
}

/** Members of both. */
export function intersection(a: Fields, b: Fields): Fields {
  return isEmpty(a) || isEmpty(b) ? NOTHING : (commonChildren(a, b) ?? NOTHING)
}

function commonChildren(a: Fields, b: Fields): Building | undefined {
  let result: Building | undefined
  for (const step in a) {
    const theirs = b[step]
    if (theirs === undefined || step === SELF) continue
    const common = commonNode(a[step]!, theirs)
    if (common === undefined) continue
    result ??= {}
    result[step] = common
  }
  return result
}

function commonNode(a: Fields, b: Fields): Fields | undefined {
  const children = isEmpty(a) || isEmpty(b) ? undefined : commonChildren(a, b)
  return isMember(a) && isMember(b) ? asMember(children) : children
}

/** All members, each as its steps: those of a level before those below it. */
export function* membersOf(set: Fields, prefix: readonly string[] = []): Generator<string[]> {
  const steps = Object.keys(set)
    .filter((step) => step !== SELF)
    .sort(compareSteps)
  for (const step of steps) if (isMember(set[step]!)) yield [...prefix, step]
  for (const step of steps) yield* membersOf(set[step]!, [...prefix, step])
}

export function hasPath(set: Fields, steps: readonly string[]): boolean {
  let node: Fields | undefined = set
  for (const step of steps) node = node?.[step]
  return steps.length > 0 && isMember(node)
}

/** The same set with its steps in the order that upstream writes them. */
export function sortFields(set: Fields): Fields {
  const steps = Object.keys(set)
  if (steps.length === 0) return set
  const first = steps.indexOf(SELF)
  if (first >= 0) steps.splice(first, 1)
  steps.sort(compareSteps)
  const sorted: Building = first >= 0 ? { [SELF]: MEMBER } : {}
  for (const step of steps) sorted[step] = sortFields(set[step]!)
  return sorted
}

/** A set that somebody else wrote, in our spelling. Throws when it is no FieldsV1. */
export function parseFields(raw: unknown): Fields {
  if (raw === undefined || raw === null) return NOTHING
  return parseNode(raw) ?? NOTHING
}

function parseNode(raw: unknown): Fields | undefined {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    throw new Error('expected a map of fields')
  }
  const node: Building = {}
  for (const [step, below] of Object.entries(raw)) {
    if (step === SELF) node[SELF] = MEMBER
    else {
      // Steps of kinds that are not known yet are passed over, as upstream does.
      const canonical = canonicalStep(step)
      if (canonical === undefined) continue
      const child = parseNode(below) ?? MEMBER
      node[canonical] = node[canonical] ? unionOfNodes(node[canonical], child) : child
    }
  }
  return tidy(node)
}
