import type { PriorityLevelConfiguration } from '../../../schema/generated/types.ts'

const SHARES = 30
const QUEUES = 64
const HAND_SIZE = 8
const QUEUE_LENGTH = 50

export function applyLevelDefaults({ spec }: PriorityLevelConfiguration) {
  const { exempt, limited } = spec ?? {}
  if (exempt !== undefined) {
    exempt.nominalConcurrencyShares ??= 0
    exempt.lendablePercent ??= 0
  }
  if (limited === undefined) return
  limited.nominalConcurrencyShares ??= SHARES
  limited.lendablePercent ??= 0
  const queuing = limited.limitResponse?.queuing
  if (queuing === undefined) return
  queuing.queues ||= QUEUES
  queuing.handSize ||= HAND_SIZE
  queuing.queueLengthLimit ||= QUEUE_LENGTH
}
