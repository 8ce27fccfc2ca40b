// What the daemon starts and stops: one interface for every long-lived part.

export interface Component {
  readonly name: string
  /** Resolves once others may rely on it. Until `signal` aborts it keeps running. */
  start(signal: AbortSignal): Promise<Running>
}

/** `done` settles when the component has fully stopped; it rejects if it died by itself. */
export type Running = { done: Promise<void> }
