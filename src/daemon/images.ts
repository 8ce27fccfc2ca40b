// The images of this node, for commands that come and go: the same containerd that the agent uses.

import type { ImageStore } from '../agent/runtime/runtime.ts'
import { loadSettings, type RawSettings } from './config.ts'
import { systemEnvironment } from './environment.ts'
import { createImages } from './node.ts'

export async function withImages(
  flags: RawSettings,
  config: string | undefined,
  body: (images: ImageStore, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const settings = await loadSettings('agent', flags, config)
  const environment = systemEnvironment({ ...settings, 'log-level': 'warn' })
  const { containerd, images } = createImages({ environment, settings })
  const { signal } = new AbortController()
  await containerd.ensure(signal)
  await body(images, signal)
}
