// The file that kubectl reads, with everything embedded.

import type { Credential } from './credential.ts'

export type KubeconfigOptions = {
  /** As in https://127.0.0.1:6443. */
  server: string
  caPem: string
  /** Name of the cluster, the context and the user; as kubectl shows it. */
  name: string
  user: Credential | { token: string }
}

/** YAML, written by hand so that it is the same bytes every time. */
export function formatKubeconfig({ server, caPem, name, user }: KubeconfigOptions): string {
  const login =
    'token' in user
      ? [`    token: ${JSON.stringify(user.token)}`]
      : [
          `    client-certificate-data: ${base64(user.certificatePem)}`,
          `    client-key-data: ${base64(user.privateKeyPem)}`,
        ]
  const quoted = JSON.stringify(name)
  return [
    'apiVersion: v1',
    'kind: Config',
    'clusters:',
    `- name: ${quoted}`,
    '  cluster:',
    `    server: ${JSON.stringify(server)}`,
    `    certificate-authority-data: ${base64(caPem)}`,
    'contexts:',
    `- name: ${quoted}`,
    '  context:',
    `    cluster: ${quoted}`,
    `    user: ${quoted}`,
    `current-context: ${quoted}`,
    'users:',
    `- name: ${quoted}`,
    '  user:',
    ...login,
    '',
  ].join('\n')
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64')
}
