// `kedge scheduler explain`: where a pod would go, and why.

import { isNotFound } from '../api/status.ts'
import { explainPlan } from '../daemon/commands/scheduler-plan.ts'
import { createLog } from '../lib/log.ts'
import { SystemRandom } from '../lib/random.ts'
import { UserError } from '../lib/user-error.ts'
import { asAdmin } from './admin.ts'
import { formatTable, type Output } from './output.ts'

export async function explainScheduling(
  name: string,
  { kubeconfig, namespace }: { kubeconfig: string; namespace: string },
  output: Output,
): Promise<void> {
  await asAdmin(kubeconfig, async ({ client, clock }, signal) => {
    // What goes wrong is told as one line, when it is given up.
    const log = createLog({ clock, level: 'error', format: 'text', write: () => {} })
    const deps = { client, clock, log, random: new SystemRandom() }
    const explained = explainPlan(deps, { namespace, name }, signal)
    const { summary, refusals, scores } = await explained.catch((error) => {
      if (!isNotFound(error)) throw error
      throw new UserError(`there is no pod ${name} in namespace ${namespace}: see kubectl get pods`)
    })
    output.write(`${summary}\n`)
    const head = ['NODE', 'REFUSED BY', 'WHY'] as const
    if (refusals.length > 0) output.write(`\n${formatTable([head, ...refusals])}`)
    if (scores.length > 0) output.write(`\n${formatTable(scores)}`)
  })
}
