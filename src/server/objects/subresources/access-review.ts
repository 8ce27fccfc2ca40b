// SubjectAccessReview and its relatives: may they, may I?

import { checkAttributes, internalPath } from '../../../api/kinds/authorization/validation.ts'
import type { AnyObject } from '../../../api/object.ts'
import type { UserInfo } from '../../../api/resource.ts'
import type {
  ResourceAttributes,
  SelfSubjectAccessReview,
  SubjectAccessReview,
} from '../../../api/schema/generated/types.ts'
import { type FieldError, fieldError, invalid } from '../../../api/status.ts'
import { FieldErrors } from '../../../api/validation/field-errors.ts'
import type { Access } from '../../authz/authorizer.ts'
import type { Steps } from '../pipeline.ts'
import type { Action, Asked } from './action.ts'

type Review = SubjectAccessReview
type Spec = Pick<Review['spec'], 'resourceAttributes' | 'nonResourceAttributes'>

export const accessReview: Action = {
  steps: (asked) => {
    const review = asked.body as unknown as Review
    return answering(asked, {
      user: () => userOf(review),
      faults: () => [
        ...specFaults(review.spec),
        ...subjectFaults(review),
        ...metadataFaults(asked.body),
      ],
    })
  },
}

export const localAccessReview: Action = {
  steps: (asked) => {
    const review = asked.body as unknown as Review
    return answering(asked, {
      user: () => userOf(review),
      faults: () => localFaults(asked.body),
    })
  },
}

export const ownAccessReview: Action = {
  steps: (asked) => {
    const { spec } = asked.body as unknown as SelfSubjectAccessReview
    return answering(asked, {
      user: () => asked.request.user,
      faults: () => [...specFaults(spec), ...metadataFaults(asked.body)],
    })
  },
}

function localFaults(body: AnyObject): FieldError[] {
  const review = body as unknown as Review
  const { namespace, ...others } = body.metadata
  const errors = [...specFaults(review.spec), ...subjectFaults(review)]
  errors.push(...metadataFaults({ metadata: others }, ' except for namespace'))
  const { resourceAttributes, nonResourceAttributes } = review.spec
  if (resourceAttributes && resourceAttributes.namespace !== namespace) {
    const field = 'spec.resourceAttributes.namespace'
    const value = resourceAttributes.namespace ?? ''
    errors.push(fieldError.invalid(field, value, 'must match metadata.namespace'))
  }
  if (nonResourceAttributes) {
    const detail = 'disallowed on this kind of request'
    const shown = internalPath(nonResourceAttributes)
    errors.push(fieldError.invalid('spec.nonResourceAttributes', shown, detail))
  }
  return errors
}

type Question = { user: () => UserInfo; faults: () => readonly FieldError[] }

/** Both are asked once mutating admission has been at the body. */
function answering({ request, body }: Asked, { user, faults }: Question): Steps<object> {
  return {
    prepare() {
      delete body.status
      const errors = faults()
      if (errors.length > 0) throw invalid({ group: 'authorization.k8s.io', kind: '' }, '', errors)
      return body
    },
    store() {
      const { spec } = body as unknown as Review
      const access = accessIn(spec, user())
      const { allowed, denied, reason } = request.server.authorizer.decide(access)
      body.status = {
        allowed,
        ...(denied ? { denied } : {}),
        ...(reason === '' ? {} : { reason }),
      }
      return body
    },
  }
}

function accessIn({ resourceAttributes, nonResourceAttributes }: Spec, user: UserInfo): Access {
  if (resourceAttributes === undefined) {
    const { verb = '', path = '' } = nonResourceAttributes ?? {}
    return { user, verb, isResource: false, path }
  }
  const { verb = '', group = '', version = '', resource = '' } = resourceAttributes
  const { subresource = '', namespace = '', name = '' } = resourceAttributes
  const selectors = selectorsIn(resourceAttributes)
  return {
    user,
    verb,
    isResource: true,
    group,
    version,
    resource,
    subresource,
    namespace,
    name,
    ...selectors,
  }
}

function selectorsIn({ fieldSelector, labelSelector }: ResourceAttributes) {
  return {
    ...(fieldSelector?.rawSelector ? { fieldSelector: fieldSelector.rawSelector } : {}),
    ...(labelSelector?.rawSelector ? { labelSelector: labelSelector.rawSelector } : {}),
  }
}

function userOf({ spec }: Review): UserInfo {
  const { user = '', groups = [], uid, extra } = spec
  return {
    username: user,
    groups,
    ...(uid ? { uid } : {}),
    ...(extra ? { extra } : {}),
  }
}

function specFaults(spec: Spec): FieldError[] {
  const faults = new FieldErrors()
  checkAttributes(faults, spec)
  return faults.list
}

function subjectFaults({ spec }: Review): FieldError[] {
  if (spec.user || spec.groups?.length) return []
  const detail = 'at least one of user or group must be specified'
  return [fieldError.invalid('spec.user', spec.user ?? '', detail)]
}

function metadataFaults({ metadata }: Pick<AnyObject, 'metadata'>, except = ''): FieldError[] {
  const { managedFields: _managedFields, ...others } = metadata
  if (Object.keys(others).length === 0) return []
  return [fieldError.invalid('metadata', metadata, `must be empty${except}`)]
}
