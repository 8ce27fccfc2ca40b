// The shape of facts.json.

export type Facts = { types: TypeFacts[] }

export type TypeFacts = {
  name: string
  /** Group, version and kind, for what is served or sent as an object of its own. */
  kind?: [string, string, string]
  atomic?: true
  fields: FieldFacts[]
}

export type FieldFacts = {
  name: string
  /**
   * A scalar, `#type`, or one of these after `[]` (list), `[w]` (list in a message of its own) or
   * `{}` (map). `#type|bool`, `|list` and `|strings`: or that instead.
   */
  type: string
  number?: number
  within?: number[]
  /** Go's names of the embedded structs that hold the field; decoding errors say them. */
  embedded?: string[]
  required?: true
  pointer?: true
  always?: true
  list?: 'atomic' | 'set' | 'map'
  keys?: string[]
  atomic?: true
  /** Not atomic, although its type is. */
  granular?: true
  patch?: ('merge' | 'replace' | 'retainKeys')[]
  mergeKey?: string
  /** Of the field, or of the items of its list or map. */
  enum?: string[]
  default?: unknown
  go?: string
}
