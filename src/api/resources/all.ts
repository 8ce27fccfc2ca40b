// Every kind that is built in. A new kind is a new line here, and its row.

import type { AnyRow } from '../resource.ts'
import { bindings } from './bindings.ts'
import { certificateSigningRequests } from './certificatesigningrequests.ts'
import { componentStatuses } from './componentstatuses.ts'
import { configMaps } from './configmaps.ts'
import { controllerRevisions } from './controllerrevisions.ts'
import { deployments } from './deployments.ts'
import { endpoints } from './endpoints.ts'
import { endpointSlices } from './endpointslices.ts'
import { events, groupEvents } from './events.ts'
import { leases } from './leases.ts'
import { namespaces } from './namespaces.ts'
import { nodes } from './nodes.ts'
import { pods } from './pods.ts'
import { podTemplates } from './podtemplates.ts'
import { priorityClasses } from './priorityclasses.ts'
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from './rbac.ts'
import { replicaSets } from './replicasets.ts'
import { replicationControllers } from './replicationcontrollers.ts'
import {
  localSubjectAccessReviews,
  selfSubjectAccessReviews,
  selfSubjectReviews,
  selfSubjectRulesReviews,
  subjectAccessReviews,
  tokenReviews,
} from './reviews.ts'
import { secrets } from './secrets.ts'
import { serviceAccounts } from './serviceaccounts.ts'
import { services } from './services.ts'

export const builtInRows: readonly AnyRow[] = [
  ...[bindings, componentStatuses, configMaps, endpoints, events, namespaces, nodes, pods],
  ...[podTemplates, replicationControllers, secrets, serviceAccounts, services],
  ...[controllerRevisions, deployments, replicaSets],
  ...[selfSubjectReviews, tokenReviews],
  ...[localSubjectAccessReviews, selfSubjectAccessReviews, selfSubjectRulesReviews],
  ...[subjectAccessReviews, certificateSigningRequests, leases, endpointSlices, groupEvents],
  ...[clusterRoleBindings, clusterRoles, roleBindings, roles, priorityClasses],
]
