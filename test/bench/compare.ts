// Measuring two things side by side: one round of ours, one of the peer's, and again, so that both
// meet the same machine. What is published is the median of the rounds' ratios, and their spread.

export type Row = {
  name: string
  /** Medians; null for a peer that is not there. */
  ours: number
  peer: number | null
  ratio: number | null
  /** What the ratio shall be: at least, or for what should be small, at most. */
  target: number
  /** The target is for ours itself, whatever the peer's. */
  isAbsolute?: boolean
  better: 'higher' | 'lower'
  unit: string
  /** Lowest and highest ratio of the rounds. */
  spread: [number, number] | null
  /** What is missing, or what the reader must know. */
  note?: string
}

export interface Bench {
  readonly name: string
  /** In words: what is compared with what. */
  readonly target: string
  run(): Promise<Row[]>
}

/** Measures several values at once, by name. */
export type Measure = () => Promise<Record<string, number>>

/** A peer, or the reason why there is none: peers are named as missing, never guessed. */
export type Peer = Measure | { missing: string }

export type Comparison = Pick<Row, 'name' | 'target' | 'better' | 'unit'> & {
  /** The name of the value in what `ours` and `peer` measure. */
  value: string
}

export async function compare(
  comparisons: readonly Comparison[],
  { ours, peer, rounds }: { ours: Measure; peer: Peer; rounds: number },
): Promise<Row[]> {
  const seen: { ours: Record<string, number>; peer: Record<string, number> | undefined }[] = []
  for (let round = 0; round < rounds; round++) {
    // Who goes first changes from round to round.
    const isPeerFirst = round % 2 === 1
    const early = isPeerFirst ? await measurePeer(peer) : undefined
    const mine = await ours()
    seen.push({ ours: mine, peer: early ?? (await measurePeer(peer)) })
  }
  return comparisons.map(({ value, ...row }) => {
    const pairs = seen.map((round) => ({ ours: round.ours[value]!, peer: round.peer?.[value] }))
    return { ...row, ...summarize(pairs), ...('missing' in peer ? { note: peer.missing } : {}) }
  })
}

function summarize(pairs: readonly { ours: number; peer: number | undefined }[]) {
  const ours = median(pairs.map((pair) => pair.ours))
  const peers = pairs.flatMap(({ peer }) => (peer === undefined ? [] : [peer]))
  if (peers.length === 0) return { ours, peer: null, ratio: null, spread: null }
  const ratios = pairs.map((pair) => pair.ours / pair.peer!)
  const spread: [number, number] = [Math.min(...ratios), Math.max(...ratios)]
  return { ours, peer: median(peers), ratio: median(ratios), spread }
}

function measurePeer(peer: Peer): Promise<Record<string, number> | undefined> {
  return 'missing' in peer ? Promise.resolve(undefined) : peer()
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function isMet({ ours, ratio, target, better, isAbsolute }: Row): boolean | undefined {
  if (isAbsolute) return better === 'higher' ? ours >= target : ours <= target
  if (ratio === null) return undefined
  return better === 'higher' ? ratio >= target : ratio <= target
}
