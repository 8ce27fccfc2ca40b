// Every kind that is built in. A new kind is a new line here, and its row.

import type { AnyRow } from '../resource.ts'
import { customResourceDefinitions } from './apiextensions/customresourcedefinition/row.ts'
import { controllerRevisions } from './apps/controllerrevision/row.ts'
import { daemonSets } from './apps/daemonset/row.ts'
import { deployments } from './apps/deployment/row.ts'
import { replicaSets } from './apps/replicaset/row.ts'
import { statefulSets } from './apps/statefulset/row.ts'
import {
  localSubjectAccessReviews,
  selfSubjectAccessReviews,
  selfSubjectReviews,
  selfSubjectRulesReviews,
  subjectAccessReviews,
  tokenReviews,
} from './authorization/reviews.ts'
import {
  horizontalPodAutoscalers,
  horizontalPodAutoscalersV1,
} from './autoscaling/horizontalpodautoscaler/row.ts'
import { cronJobs } from './batch/cronjob/row.ts'
import { jobs } from './batch/job/row.ts'
import { certificateSigningRequests } from './certificates/certificatesigningrequest/row.ts'
import { leases } from './coordination/lease/row.ts'
import { bindings } from './core/binding/row.ts'
import { componentStatuses } from './core/componentstatus/row.ts'
import { configMaps } from './core/configmap/row.ts'
import { endpoints } from './core/endpoints/row.ts'
import { limitRanges } from './core/limitrange/row.ts'
import { namespaces } from './core/namespace/row.ts'
import { nodes } from './core/node/row.ts'
import { persistentVolumes } from './core/persistentvolume/row.ts'
import { persistentVolumeClaims } from './core/persistentvolumeclaim/row.ts'
import { pods } from './core/pod/row.ts'
import { podTemplates } from './core/podtemplate/row.ts'
import { replicationControllers } from './core/replicationcontroller/row.ts'
import { resourceQuotas } from './core/resourcequota/row.ts'
import { secrets } from './core/secret/row.ts'
import { services } from './core/service/row.ts'
import { serviceAccounts } from './core/serviceaccount/row.ts'
import { endpointSlices } from './discovery/endpointslice/row.ts'
import { events, groupEvents } from './events/event/row.ts'
import { flowSchemas } from './flowcontrol/flowschema/row.ts'
import { priorityLevelConfigurations } from './flowcontrol/prioritylevelconfiguration/row.ts'
import { ingresses } from './networking/ingress/row.ts'
import { ingressClasses } from './networking/ingressclass/row.ts'
import { ipAddresses } from './networking/ipaddress/row.ts'
import { networkPolicies } from './networking/networkpolicy/row.ts'
import { serviceCidrs } from './networking/servicecidr/row.ts'
import { runtimeClasses } from './node/runtimeclass/row.ts'
import { podDisruptionBudgets } from './policy/poddisruptionbudget/row.ts'
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from './rbac/rbac.ts'
import { priorityClasses } from './scheduling/priorityclass/row.ts'
import { csiDrivers } from './storage/csidriver/row.ts'
import { csiNodes } from './storage/csinode/row.ts'
import { csiStorageCapacities } from './storage/csistoragecapacity/row.ts'
import { storageClasses } from './storage/storageclass/row.ts'
import { volumeAttachments } from './storage/volumeattachment/row.ts'
import { volumeAttributesClasses } from './storage/volumeattributesclass/row.ts'

export const builtInRows: readonly AnyRow[] = [
  ...[bindings, componentStatuses, configMaps, endpoints, events, limitRanges, namespaces],
  ...[nodes, pods, resourceQuotas],
  ...[persistentVolumeClaims, persistentVolumes],
  ...[podTemplates, replicationControllers, secrets, serviceAccounts, services],
  ...[controllerRevisions, daemonSets, deployments, replicaSets, statefulSets],
  ...[cronJobs, jobs],
  ...[selfSubjectReviews, tokenReviews],
  ...[localSubjectAccessReviews, selfSubjectAccessReviews, selfSubjectRulesReviews],
  ...[subjectAccessReviews, certificateSigningRequests, leases, endpointSlices, groupEvents],
  ...[podDisruptionBudgets],
  ...[ingresses, ingressClasses, ipAddresses, networkPolicies, serviceCidrs, runtimeClasses],
  ...[flowSchemas, priorityLevelConfigurations],
  ...[horizontalPodAutoscalers, horizontalPodAutoscalersV1],
  ...[clusterRoleBindings, clusterRoles, roleBindings, roles, priorityClasses],
  customResourceDefinitions,
  ...[csiDrivers, csiNodes, csiStorageCapacities],
  ...[storageClasses, volumeAttachments, volumeAttributesClasses],
]
