// What the server needs from the daemon, and what it gives back.

import type { UserInfo } from '../api/resource.ts'
import type { ByteStream } from '../lib/byte-stream.ts'

/**
 * In-process callers pass this beside the request; nobody can send it over the network. With it,
 * authentication is skipped; authorization is not.
 */
export type RequestEnv = {
  user?: UserInfo
  /** Subject of the verified client certificate, when there was one. */
  clientCertificate?: {
    commonName: string
    organizations: readonly string[]
    issuedBy: 'client' | 'front-proxy'
    /** Of the certificate, in hexadecimal; named in the user's extra fields. */
    sha256?: string
    /** Of its public key, in hexadecimal. */
    publicKeySha256?: string
  }
  remoteAddress?: string
  /** Told what to call when all of the answer has been taken, or never will be. */
  written?: (over: () => void) => void
}

/** The whole API as a function. */
export interface App {
  fetch(request: Request, env: RequestEnv): Promise<Response>
}

/** Reaches a node's own HTTP API (the kubelet's paths), through its tunnel or in this process. */
export interface NodeDialer {
  /** Throws when the node is not connected, with a message fit for people. */
  dialNode(nodeName: string, signal: AbortSignal): Promise<ByteStream>
  /** A TCP connection made from that node: to a pod or service address. */
  dialFrom(
    nodeName: string,
    target: { host: string; port: number },
    signal: AbortSignal,
  ): Promise<ByteStream>
}
