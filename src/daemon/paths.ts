// Where everything lies. Pure.

import { join } from 'node:path'
import type { Settings } from './options.ts'

export type Paths = ReturnType<typeof pathsOf>

/**
 * What is in the data folder: in `secret` all is for root alone; `closed` is shut, and what is in
 * it has modes of its own, which containers count on.
 */
export const DATA_FOLDERS = { secret: ['server'], closed: ['agent'] }

export function pathsOf(settings: Pick<Settings, 'data-dir' | 'run-dir'>) {
  const data = settings['data-dir']
  const run = settings['run-dir']
  const server = join(data, 'server')
  const agent = join(data, 'agent')
  return {
    server: {
      root: server,
      store: join(server, 'db', 'state.db'),
      /** What Secrets are encrypted with in the store. */
      encryptionKeys: join(server, 'encryption-keys.json'),
      pki: join(server, 'tls'),
      /** The join token, for whoever may read the server's state. */
      token: join(server, 'token'),
    },
    agent: {
      root: agent,
      tls: join(agent, 'tls'),
      settings: join(agent, 'cluster.json'),
      /** The last word of the server, for starts without one. */
      state: join(agent, 'state'),
      volumes: join(agent, 'pods'),
      containerd: join(agent, 'containerd'),
      cni: join(agent, 'cni'),
    },
    run: {
      root: run,
      /** Exists while the node is Ready for the first time since the start; holds its name. */
      ready: join(run, 'ready'),
      /** The kubelet's own API, for the server in this process and the tunnel. */
      agentSocket: join(run, 'agent.sock'),
      containerd: join(run, 'containerd'),
      /** What ctr is told of registries. */
      registries: join(run, 'registries'),
    },
  }
}
