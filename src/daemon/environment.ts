// The doors to the outside, made once: time, chance, processes, the log.

import { SystemClock } from '../lib/clock.ts'
import { createLog, type Level, type Log } from '../lib/log.ts'
import { SystemProcesses } from '../lib/process.ts'
import { SystemRandom } from '../lib/random.ts'
import type { Settings } from './options.ts'

export type Environment = {
  clock: SystemClock
  random: SystemRandom
  processes: SystemProcesses
  log: Log
}

export function systemEnvironment(
  settings: Pick<Settings, 'log-level' | 'log-format'>,
): Environment {
  const clock = new SystemClock()
  const log = createLog({
    clock,
    level: settings['log-level'] as Level,
    format: settings['log-format'] as 'json' | 'text',
    write: (line) => {
      process.stderr.write(`${line}\n`)
    },
  })
  return { clock, random: new SystemRandom(), processes: new SystemProcesses(), log }
}
