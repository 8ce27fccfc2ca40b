// The one door to @peculiar/x509, which makes certificates and requests and reads requests.
//
// It is loaded by the first who needs it: it costs tens of milliseconds, and a start that finds its
// certificates on disk makes none.

export type { Extension, Name, Pkcs10CertificateRequest } from '@peculiar/x509'

export type X509 = typeof import('@peculiar/x509')

/** The library; the runtime remembers a module, so only the first call waits for it. */
export async function loadX509(): Promise<X509> {
  // The decorators of the library need this polyfill, and need it first.
  await import('reflect-metadata')
  return import('@peculiar/x509')
}
