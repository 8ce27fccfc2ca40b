// The executable: runs a command and turns an error into one line and an exit code.

import { runCommandLine } from './cli/commands.ts'
import { describeError } from './lib/log.ts'
import { UserError } from './lib/user-error.ts'

try {
  process.exitCode = await runCommandLine(process.argv)
} catch (error) {
  const text = error instanceof UserError ? error.message : describeError(error)
  process.stderr.write(`kedge: ${text}\n`)
  process.exitCode = 1
}
if (process.exitCode !== undefined) process.exit()
