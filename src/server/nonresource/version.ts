// Which Kubernetes we are, for clients that behave by it, and which kedge.

import { KUBERNETES_VERSION, VERSION } from '../../lib/version.ts'
import { renderJson } from '../response/errors.ts'
import type { Answer } from '../transport/call.ts'

const [MAJOR = '', MINOR = ''] = KUBERNETES_VERSION.split('.')

/** A semantic version with a leading v; what follows the plus says whose it is. */
export const GIT_VERSION = `v${KUBERNETES_VERSION}+kedge${VERSION}`

export function version(): Answer {
  const info = {
    major: MAJOR,
    minor: MINOR,
    emulationMajor: MAJOR,
    emulationMinor: MINOR,
    minCompatibilityMajor: '1',
    minCompatibilityMinor: '35',
    gitVersion: GIT_VERSION,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: `bun${Bun.version}`,
    compiler: 'bun',
    platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  }
  const headers = { 'content-type': 'application/json' }
  return { code: 200, headers, body: renderJson(info, true) }
}
