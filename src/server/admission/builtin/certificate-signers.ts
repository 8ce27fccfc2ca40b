// Who may approve, or sign, requests for certificates: whoever has the right to the signer that the
// request names, beyond the right to write requests. (upstream plugins CertificateApproval and
// CertificateSigning)

import type { CertificateSigningRequest } from '../../../api/schema/generated/types.ts'
import type { Access } from '../../authz/authorizer.ts'
import { type AdmissionPlugin, type Attributes, refused } from '../chain.ts'

type MayDo = (access: Access) => boolean

export function certificateApproval(mayDo: MayDo): AdmissionPlugin {
  return {
    name: 'CertificateApproval',
    handles: ['UPDATE'],
    validate(attributes) {
      if (!isOfRequest(attributes, 'approval')) return
      const { signerName } = (attributes.old as unknown as CertificateSigningRequest).spec
      if (mayUse(mayDo, attributes, 'approve', signerName)) return
      const why = `user not permitted to approve requests with signerName ${quoted(signerName)}`
      throw refused(attributes, why)
    },
  }
}

export function certificateSigning(mayDo: MayDo): AdmissionPlugin {
  return {
    name: 'CertificateSigning',
    handles: ['UPDATE'],
    validate(attributes) {
      if (!isOfRequest(attributes, 'status')) return
      const old = attributes.old as unknown as CertificateSigningRequest
      const request = attributes.object as unknown as CertificateSigningRequest
      if (Bun.deepEquals(signedPart(old), signedPart(request))) return
      const { signerName } = old.spec
      if (mayUse(mayDo, attributes, 'sign', signerName)) return
      const why = `user not permitted to sign requests with signerName ${quoted(signerName)}`
      throw refused(attributes, why)
    },
  }
}

function isOfRequest({ request, subresource }: Attributes, wanted: string): boolean {
  const { group, plural } = request.row
  return (
    subresource === wanted &&
    group === 'certificates.k8s.io' &&
    plural === 'certificatesigningrequests'
  )
}

function signedPart({ status }: CertificateSigningRequest) {
  return { certificate: status?.certificate ?? '', conditions: status?.conditions ?? [] }
}

/** By its name, or for all signers of its domain: `kubernetes.io/*`. */
function mayUse(mayDo: MayDo, { request }: Attributes, verb: string, signerName: string): boolean {
  const domain = signerName.split('/', 1)[0]
  return [signerName, `${domain}/*`].some((name) =>
    mayDo({
      user: request.user,
      verb,
      isResource: true,
      group: 'certificates.k8s.io',
      version: '*',
      resource: 'signers',
      subresource: '',
      namespace: '',
      name,
    }),
  )
}

const quoted = (text: string) => JSON.stringify(text)
