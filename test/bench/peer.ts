// Kubernetes as a peer: a cluster that somebody else has made, named by the environment.
//
//   KEDGE_BENCH_KUBECONFIG     kubeconfig of the running cluster
//   KEDGE_BENCH_PEER_IMAGE     an image with `sleep` that its nodes have
//   KEDGE_BENCH_PEER_START     command that starts its control plane on an empty disk
//   KEDGE_BENCH_PEER_STOP      command that stops it and empties the disk
//   KEDGE_BENCH_PEER_PIDS      command that prints the pids of control plane and kubelet, one a line
//   KEDGE_BENCH_PEER_RESTART   command that kills (-9) and starts again: `… server` or `… agent`

import { readFileSync } from 'node:fs'
import { loadAll } from 'js-yaml'

export type Cluster = { kubeconfig: string; url: string; image: string }

export function peerCluster(): Cluster | { missing: string } {
  const kubeconfig = process.env.KEDGE_BENCH_KUBECONFIG
  if (!kubeconfig) return { missing: 'Kubernetes is missing: name one with KEDGE_BENCH_KUBECONFIG' }
  return { kubeconfig, url: urlOf(kubeconfig), image: process.env.KEDGE_BENCH_PEER_IMAGE ?? '' }
}

export function peerCommand(name: 'START' | 'STOP' | 'PIDS' | 'RESTART'): string[] | undefined {
  return process.env[`KEDGE_BENCH_PEER_${name}`]?.split(' ')
}

export function urlOf(kubeconfig: string): string {
  // biome-ignore lint/suspicious/noExplicitAny: a kubeconfig without a server fails here, as it should.
  const config = loadAll(readFileSync(kubeconfig, 'utf8'))[0] as any
  return config.clusters[0].cluster.server
}

/** Resolves with the ms until `check` holds, asked every few ms; throws after a minute. */
export async function msUntil(check: () => Promise<boolean>, limitMs = 60_000): Promise<number> {
  const start = performance.now()
  while (!(await check().catch(() => false))) {
    if (performance.now() - start > limitMs) throw new Error(`not there after ${limitMs} ms`)
    await Bun.sleep(3)
  }
  return performance.now() - start
}

/** An authenticated GET that answers 200. */
export function answers(url: string, path: string, token?: string): () => Promise<boolean> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return async () => {
    const response = await fetch(url + path, { tls: { rejectUnauthorized: false }, headers })
    await response.arrayBuffer()
    return response.ok
  }
}
