// The class of runtime that a pod asks for: this node has one, and refuses the others before
// anything of the pod is made.

import { runtimeClasses } from '../../api/kinds/node/runtimeclass/row.ts'
import { ContainerError } from '../../api/pod/container-error.ts'
import type { Pod } from '../../api/schema/generated/types.ts'
import { isNotFound } from '../../api/status.ts'
import type { Client } from '../../kit/client.ts'

/** What containerd calls its own. */
const HANDLERS = new Set(['runc'])

/** Throws for a class that is not there, or whose handler this node has not. */
export async function checkRuntimeClass(
  client: Pick<Client, 'get'>,
  { spec }: Pick<Pod, 'spec'>,
  signal: AbortSignal,
): Promise<void> {
  const name = spec?.runtimeClassName
  if (!name) return
  const handler = await handlerOf(client, name, signal)
  if (HANDLERS.has(handler)) return
  const why = `no runtime for ${JSON.stringify(handler)} is configured`
  throw refused(`rpc error: code = Unknown desc = failed to get sandbox runtime: ${why}`)
}

async function handlerOf(client: Pick<Client, 'get'>, name: string, signal: AbortSignal) {
  try {
    return (await client.get(runtimeClasses, { name }, signal)).handler
  } catch (error) {
    if (isNotFound(error))
      throw refused(`runtimeclass.node.k8s.io ${JSON.stringify(name)} not found`)
    throw error
  }
}

function refused(message: string): ContainerError {
  return new ContainerError('FailedCreatePodSandBox', message)
}
