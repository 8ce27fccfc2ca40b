// Runs nft. One transaction is one process; what is read from others is only that they destroyed
// our table.

import type { Processes } from '../../lib/process.ts'
import { ExitError, runOk } from '../../lib/process.ts'
import { planForgottenClients } from './flows.ts'
import { LAST_CHAIN, TABLE } from './script.ts'

export interface Nft {
  /** All of `script` takes effect, or none of it: then it throws. */
  apply(script: string, signal: AbortSignal): Promise<void>
  /** Whether the table stands with its rules, whatever its elements. */
  isIntact(signal: AbortSignal): Promise<boolean>
  /** Takes clients out of `affinity` whose endpoint is among `lost` (`ip . port`). */
  forgetClients(lost: ReadonlySet<string>, signal: AbortSignal): Promise<void>
  /** Calls `destroyed` whenever anybody, we too, removes or flushes our table. Ends with `signal`. */
  watch(destroyed: () => void, signal: AbortSignal): Promise<void>
}

export function createNft(processes: Processes): Nft {
  return {
    async apply(script, signal) {
      const argv = ['nft', '-f', '-']
      const result = await processes.run(argv, signal, { stdin: script })
      if (result.exitCode !== 0) throw new ExitError(argv, result)
    },

    async forgetClients(lost, signal) {
      const list = ['nft', '-j', 'list', 'map', ...TABLE.split(' '), 'affinity']
      const keys = planForgottenClients(JSON.parse(await runOk(processes, list, signal)), lost)
      if (keys.length === 0) return
      const stdin = `delete element ${TABLE} affinity { ${keys.join(', ')} }\n`
      // A client whose time ran out in between makes the whole statement fail; the next change,
      // or its time, forgets the others.
      await processes.run(['nft', '-f', '-'], signal, { stdin })
    },

    async isIntact(signal) {
      const argv = ['nft', 'list', 'chain', ...TABLE.split(' '), LAST_CHAIN]
      const { exitCode, stdout } = await processes.run(argv, signal)
      return exitCode === 0 && stdout.includes('masquerade')
    },

    // `delete table` shows as the table's own line; `flush table` only as lines of its rules.
    async watch(destroyed, signal) {
      const monitor = processes.spawn(['nft', 'monitor', 'destroy'], signal)
      let text = ''
      const decoder = new TextDecoder()
      for await (const chunk of monitor.stdout) {
        text += decoder.decode(chunk, { stream: true })
        const lines = text.split('\n')
        text = lines.pop()!
        if (lines.some(isDestruction)) destroyed()
      }
      await monitor.exited
    },
  }
}

const DESTRUCTIONS = [
  `delete table ${TABLE}`,
  `delete rule ${TABLE} `,
  `delete chain ${TABLE} `,
  `delete map ${TABLE} `,
]

/** Our own transactions remove elements only, never these. */
function isDestruction(line: string): boolean {
  return DESTRUCTIONS.some((start) => line.startsWith(start))
}
