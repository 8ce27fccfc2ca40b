// Binds the name of a node to the key that it first asks for a certificate with. Whoever holds a
// join token could else take the place of a node that is there. No plug-in of upstream's.

import type { CertificateSigningRequest } from '../../../api/schema/generated/types.ts'
import { readCsr } from '../../../pki/csr.ts'
import { keyFingerprint } from '../../../pki/node-keys.ts'
import { SIGNER } from '../../../pki/signer.ts'
import { foreignKey, type NodeKeys } from '../../authn/node-keys.ts'
import type { Access } from '../../authz/authorizer.ts'
import { nodeNameOf } from '../../authz/node.ts'
import { type AdmissionPlugin, type Attributes, refused } from '../chain.ts'

export type NodeKeyDeps = { keys: NodeKeys; mayDo: (access: Access) => boolean }

export function nodeKey(deps: NodeKeyDeps): AdmissionPlugin {
  return {
    name: 'NodeKey',
    handles: ['CREATE'],
    // Only what is about it waits: every write is asked here.
    validate(attributes) {
      const { request, subresource, object } = attributes
      const { group, plural } = request.row
      if (group !== 'certificates.k8s.io' || plural !== 'certificatesigningrequests') return
      if (subresource !== '') return
      const csr = object as unknown as CertificateSigningRequest
      const isAbout = csr.spec.signerName === SIGNER.kubeletClient
      if (isAbout && isApproved(attributes, deps.mayDo)) return claim(deps, attributes, csr)
    },
  }
}

async function claim(
  { keys }: NodeKeyDeps,
  attributes: Attributes,
  csr: CertificateSigningRequest,
): Promise<void> {
  const asked = await subjectOf(csr)
  if (asked === undefined) return
  const { node, key } = asked
  const { request, dryRun } = attributes
  const isSelf = nodeNameOf(request.user) === node
  const shown = isSelf ? request.call.env.clientCertificate?.publicKeySha256 : undefined
  if (await keys.claim(node, { key, shown, dryRun })) return
  throw refused(attributes, foreignKey(node))
}

/** Only what is approved without a person binds a name; for the rest, its first use does. */
function isApproved({ request }: Attributes, mayDo: NodeKeyDeps['mayDo']): boolean {
  const { user } = request
  const access = {
    user,
    verb: 'create',
    isResource: true as const,
    namespace: '',
    name: '',
    group: 'certificates.k8s.io',
    version: '*',
    resource: 'certificatesigningrequests',
  }
  const rights = nodeNameOf(user) ? ['selfnodeclient', 'nodeclient'] : ['nodeclient']
  return rights.some((subresource) => mayDo({ ...access, subresource }))
}

async function subjectOf({ spec }: CertificateSigningRequest) {
  try {
    const { commonName, publicKey } = await readCsr(Buffer.from(spec.request, 'base64').toString())
    const node = nodeNameOf({ username: commonName, groups: ['system:nodes'] })
    return node ? { node, key: keyFingerprint(publicKey) } : undefined
  } catch {
    // What cannot be read is not signed either; the signer says why.
    return undefined
  }
}
