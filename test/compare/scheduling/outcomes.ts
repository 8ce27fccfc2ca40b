// What a real scheduler did.

export const OUTCOMES = new URL('outcomes.v1.36.3.json', import.meta.url).pathname

/** Bound to a node; or refused, and perhaps to wait for the room that victims leave. */
export type Outcome =
  | { readonly nodeName: string }
  | {
      readonly message: string
      readonly nominated?: string
      readonly victims?: readonly string[]
    }
