// Questions that are answered at once and never stored: who is this, may they do that.

import { defineResource } from '../../resource.ts'
import type {
  LocalSubjectAccessReview,
  SelfSubjectAccessReview,
  SelfSubjectReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  TokenReview,
} from '../../schema/generated/types.ts'

const question = {
  version: 'v1',
  scope: 'Cluster',
  verbs: ['create'],
  generationOf: false,
} as const
const authentication = { ...question, group: 'authentication.k8s.io' } as const
const authorization = { ...question, group: 'authorization.k8s.io' } as const

export const tokenReviews = defineResource<TokenReview>({
  ...authentication,
  kind: 'TokenReview',
  plural: 'tokenreviews',
  type: 'io.k8s.api.authentication.v1.TokenReview',
})

export const selfSubjectReviews = defineResource<SelfSubjectReview>({
  ...authentication,
  kind: 'SelfSubjectReview',
  plural: 'selfsubjectreviews',
  type: 'io.k8s.api.authentication.v1.SelfSubjectReview',
})

export const subjectAccessReviews = defineResource<SubjectAccessReview>({
  ...authorization,
  kind: 'SubjectAccessReview',
  plural: 'subjectaccessreviews',
  type: 'io.k8s.api.authorization.v1.SubjectAccessReview',
})

export const localSubjectAccessReviews = defineResource<LocalSubjectAccessReview>({
  ...authorization,
  kind: 'LocalSubjectAccessReview',
  plural: 'localsubjectaccessreviews',
  type: 'io.k8s.api.authorization.v1.LocalSubjectAccessReview',
  scope: 'Namespaced',
})

export const selfSubjectAccessReviews = defineResource<SelfSubjectAccessReview>({
  ...authorization,
  kind: 'SelfSubjectAccessReview',
  plural: 'selfsubjectaccessreviews',
  type: 'io.k8s.api.authorization.v1.SelfSubjectAccessReview',
})

export const selfSubjectRulesReviews = defineResource<SelfSubjectRulesReview>({
  ...authorization,
  kind: 'SelfSubjectRulesReview',
  plural: 'selfsubjectrulesreviews',
  type: 'io.k8s.api.authorization.v1.SelfSubjectRulesReview',
})
