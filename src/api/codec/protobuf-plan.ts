// How a type lies in protobuf: which field has which number, and which fields Go nests in a message
// of an embedded struct (the handler of a Probe, the source of a Volume).

import type { Field, ObjectType } from '../schema/schema.ts'

export type Wire = {
  readonly number: number
  /** Exactly one of these two is there. */
  readonly field: Field | undefined
  readonly embedded: MessagePlan | undefined
}

export type MessagePlan = {
  readonly byNumber: ReadonlyMap<number, Wire>
  /** From the highest number to the lowest: messages are written from their end. */
  readonly descending: readonly Wire[]
}

const PLANS = new WeakMap<ObjectType, MessagePlan>()

export function messagePlan(type: ObjectType): MessagePlan {
  let plan = PLANS.get(type)
  if (plan === undefined) {
    plan = planOf([...type.fields.values()], 0)
    PLANS.set(type, plan)
  }
  return plan
}

function planOf(fields: readonly Field[], depth: number): MessagePlan {
  const wires: Wire[] = []
  const numbered = fields.filter((field) => field.protobufNumber > 0)
  const groups = Map.groupBy(numbered, (field) => field.protobufWithin[depth] ?? 0)
  for (const [outer, members] of groups) {
    if (outer > 0) {
      wires.push({ number: outer, field: undefined, embedded: planOf(members, depth + 1) })
      continue
    }
    for (const field of members) {
      wires.push({ number: field.protobufNumber, field, embedded: undefined })
    }
  }
  return {
    byNumber: new Map(wires.map((wire) => [wire.number, wire])),
    descending: wires.toSorted((a, b) => b.number - a.number),
  }
}
