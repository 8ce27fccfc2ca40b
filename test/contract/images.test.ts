// Pulls, credentials, digests and archives against a real registry, in a process of its own.

import { test } from 'bun:test'
import { cannotIsolate, runIsolated } from '../support/isolated.ts'

const PROGRAMS = ['containerd', 'ctr', 'runc', 'nft', 'ip', 'busybox', 'docker-registry']
const reason = cannotIsolate(PROGRAMS)
if (reason !== undefined) console.log(`skipped: tests of real images (${reason})`)

test.skipIf(reason !== undefined)(
  'images are pulled, imported, found and removed',
  () => runIsolated('./test/contract/images.real.ts'),
  200_000,
)

test.skipIf(reason !== undefined || Bun.which('openssl') === null)(
  'registries are found by their mirrors, certificates and accounts',
  () => runIsolated('./test/contract/registries.real.ts'),
  200_000,
)
