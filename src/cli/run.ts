// `kedge server` and `kedge agent`: from settings to the end of the process.

import { runAgent } from '../daemon/agent.ts'
import { loadSettings, type RawSettings } from '../daemon/config.ts'
import { hideArgument } from '../daemon/hidden-argument.ts'
import type { Role } from '../daemon/options.ts'
import { runServer } from '../daemon/server.ts'

/** Runs until SIGTERM or SIGINT. Pods go on; a second signal ends the process at once. */
export async function run(role: Role, flags: RawSettings, config: string | undefined) {
  if (typeof flags.token === 'string') hideArgument(flags.token)
  const { settings, inTheirWords } = await loadSettings(role, flags, config)
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => stop.abort(new Error(`received ${name}`)))
  }
  // A log that nobody reads any more is no reason to end.
  process.on('SIGHUP', () => {})
  try {
    if (role === 'server') await runServer(settings, stop.signal)
    else await runAgent(settings, stop.signal)
  } catch (error) {
    throw inTheirWords(error)
  }
}
