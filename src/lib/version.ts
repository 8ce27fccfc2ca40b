// The version of this program, from package.json at build time.

import manifest from '../../package.json' with { type: 'json' }

export const VERSION: string = manifest.version
/** The Kubernetes release whose API is served. */
export const KUBERNETES_VERSION = '1.36.3'
