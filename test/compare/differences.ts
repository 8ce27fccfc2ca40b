// Where kedge answers otherwise on purpose, each with its reason.

export type Difference = {
  /** `core/pods`, and name of the request; '*' for all. */
  file: string
  request: string
  /** Start of the path of the differing value: `body.metadata.annotations`, `headers.Warning`. */
  at: RegExp
  reason: string
}

export const differences: readonly Difference[] = [
  {
    file: '*',
    request: '*',
    at: /^body(\[\d+\]\.object)?\.columnDefinitions\[\d+\]\.description/,
    reason: 'descriptions are our own words; kubectl shows them nowhere in a table',
  },
]
