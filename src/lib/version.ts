// The version of this program, from package.json at build time.

import manifest from '../../package.json' with { type: 'json' }

/** Filled in by the build; there is none in a run from source. */
declare const KEDGE_COMMIT: string | undefined

export const VERSION: string = manifest.version
/** The commit that the executable was built from; empty where nobody knows. */
export const COMMIT: string = typeof KEDGE_COMMIT === 'undefined' ? '' : KEDGE_COMMIT
/** The Kubernetes release whose API is served. */
export const KUBERNETES_VERSION = '1.36.3'
