// The images of this node, for commands that come and go: the same containerd that the agent uses.

import { UserError } from '../lib/user-error.ts'
import type { ImageStore } from '../runtime/contract.ts'
import { loadSettings, type RawSettings } from './config.ts'
import { systemEnvironment } from './environment.ts'
import { createImages } from './node.ts'
import { requireRoot } from './preflight.ts'

export async function withImages(
  flags: RawSettings,
  config: string | undefined,
  body: (images: ImageStore, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { settings } = await loadSettings('agent', flags, config)
  const environment = systemEnvironment({ ...settings, 'log-level': 'warn' })
  const { containerd, images } = createImages({ environment, settings })
  const { signal } = new AbortController()
  requireRoot('kedge images')
  if (!(await containerd.answers(signal))) {
    throw new UserError(
      `no containerd answers at ${containerd.ctr.address}: start kedge on this machine, or name ` +
        'the socket with --containerd-address',
    )
  }
  await body(images, signal)
}
