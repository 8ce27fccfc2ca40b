// Which Kubernetes we are, for clients that behave by it, and which kedge.

import { version as own } from '../../../package.json'
import type { Answer } from '../call.ts'
import { renderJson } from '../errors.ts'

const KUBERNETES = { major: '1', minor: '36', patch: '3' }

/** A semantic version with a leading v; what follows the plus says whose it is. */
export const GIT_VERSION = `v${KUBERNETES.major}.${KUBERNETES.minor}.${KUBERNETES.patch}+kedge${own}`

export function version(): Answer {
  const info = {
    ...{ major: KUBERNETES.major, minor: KUBERNETES.minor },
    ...{ emulationMajor: KUBERNETES.major, emulationMinor: KUBERNETES.minor },
    ...{ minCompatibilityMajor: '1', minCompatibilityMinor: '35' },
    ...{ gitVersion: GIT_VERSION, gitCommit: '', gitTreeState: 'clean' },
    ...{ buildDate: '1970-01-01T00:00:00Z', goVersion: `bun${Bun.version}`, compiler: 'bun' },
    platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  }
  const headers = { 'content-type': 'application/json' }
  return { code: 200, headers, body: renderJson(info, true) }
}
