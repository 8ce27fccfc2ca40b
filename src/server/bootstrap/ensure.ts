// Makes what every cluster holds, and mends what it lost.
//
// All writes of a step are sent at once: they share a transaction, and the disk is synced once.

import { endpoints } from '../../api/kinds/core/endpoints/row.ts'
import { namespaces } from '../../api/kinds/core/namespace/row.ts'
import { services } from '../../api/kinds/core/service/row.ts'
import { endpointSlices } from '../../api/kinds/discovery/endpointslice/row.ts'
import { serviceCidrs } from '../../api/kinds/networking/servicecidr/row.ts'
import * as rbac from '../../api/kinds/rbac/rbac.ts'
import { priorityClasses } from '../../api/kinds/scheduling/priorityclass/row.ts'
import { storageClasses } from '../../api/kinds/storage/storageclass/row.ts'
import type { AnyObject, KubeObject } from '../../api/object.ts'
import { LOCAL_CLASS } from '../../api/volume/local.ts'
import type { App } from '../contract.ts'
import { ensureFlows } from './flows.ts'
import {
  type ApiAddress,
  AUTOUPDATE,
  bootstrapNamespaces,
  bootstrapPriorityClasses,
  bootstrapRbac,
  kubernetesService,
  kubernetesServiceCidr,
  RETIRED_BINDINGS,
} from './objects.ts'
import { planRepair } from './plan.ts'
import { read, type Wanted, write } from './requests.ts'

/** Throws when something cannot be written: a cluster without its roles must not be served. */
export async function ensureBootstrap(app: App, api: ApiAddress): Promise<void> {
  await Promise.all(
    bootstrapNamespaces().map((object) => createIfMissing(app, { row: namespaces, object })),
  )
  const facts = bootstrapRbac()
  const roles: Wanted[] = [
    ...facts.clusterroles.map((object) => ({ row: rbac.clusterRoles, object })),
    ...facts.roles.map((object) => ({ row: rbac.roles, object })),
  ]
  const bindings: Wanted[] = [
    ...facts.clusterrolebindings.map((object) => ({ row: rbac.clusterRoleBindings, object })),
    ...facts.rolebindings.map((object) => ({ row: rbac.roleBindings, object })),
  ]
  const classes = bootstrapPriorityClasses().map((object) => ({ row: priorityClasses, object }))
  await Promise.all([...roles, ...bindings].map((wanted) => createOrRepair(app, wanted)))
  await Promise.all(RETIRED_BINDINGS.map((name) => retire(app, name)))
  await Promise.all([...classes.map((wanted) => createIfMissing(app, wanted)), ensureFlows(app)])
  await ensureServiceRange(app, api)
  await ensureKubernetesService(app, api)
}

/** The class whose volumes kedge makes itself; what was changed of it stays. */
export async function ensureLocalClass(app: App): Promise<void> {
  await createIfMissing(app, { row: storageClasses, object: LOCAL_CLASS })
}

/** The range that Services get their addresses from; that of an earlier start gives way. */
async function ensureServiceRange(app: App, { serviceCidr }: ApiAddress): Promise<void> {
  const wanted = { row: serviceCidrs, object: kubernetesServiceCidr(serviceCidr) }
  const present = await read(app, wanted)
  if (Bun.deepEquals(present?.spec, wanted.object.spec)) return
  if (present !== undefined) await write(app, 'DELETE', wanted)
  await write(app, 'POST', wanted)
  const lastTransitionTime = (await read(app, wanted))?.metadata.creationTimestamp ?? ''
  const message = 'Kubernetes Service CIDR is ready'
  const ready = { type: 'Ready', status: 'True', reason: '', message, lastTransitionTime }
  await write(app, 'PUT', {
    row: serviceCidrs,
    object: { ...wanted.object, status: { conditions: [ready] } } as KubeObject,
    subresource: 'status',
  })
}

async function ensureKubernetesService(app: App, api: ApiAddress): Promise<void> {
  const { service, endpoints: ends, slice } = kubernetesService(api)
  const { clusterIP } = service.spec!
  const present = await read(app, { row: services, object: service })
  if (present === undefined) await write(app, 'POST', { row: services, object: service })
  else if ((present as KubeObject as typeof service).spec?.clusterIP !== clusterIP) {
    await write(app, 'DELETE', { row: services, object: service })
    await write(app, 'POST', { row: services, object: service })
  }
  await createOrPut(app, { row: endpoints, object: ends }, 'subsets')
  await createOrPut(app, { row: endpointSlices, object: slice }, 'endpoints')
}

async function retire(app: App, name: string): Promise<void> {
  const wanted = { row: rbac.clusterRoleBindings, object: { metadata: { name } } }
  const present = await read(app, wanted)
  if (present?.metadata.annotations?.[AUTOUPDATE] === 'true') await write(app, 'DELETE', wanted)
}

async function createIfMissing(app: App, wanted: Wanted): Promise<void> {
  if ((await read(app, wanted)) === undefined) await write(app, 'POST', wanted)
}

async function createOrRepair(app: App, wanted: Wanted): Promise<void> {
  const present = await read(app, wanted)
  if (present === undefined) {
    await write(app, 'POST', wanted)
    return
  }
  const repaired = planRepair(wanted.object, present)
  if (repaired !== undefined) await write(app, 'PUT', { row: wanted.row, object: repaired })
}

/** Where the API is may change from start to start; the rest of the object is ours as well. */
async function createOrPut(app: App, wanted: Wanted, field: string): Promise<void> {
  const present = await read(app, wanted)
  if (present === undefined) {
    await write(app, 'POST', wanted)
    return
  }
  const target = (wanted.object as AnyObject)[field]
  if (Bun.deepEquals(present[field], target)) return
  await write(app, 'PUT', {
    row: wanted.row,
    object: { ...present, ...wanted.object, metadata: present.metadata },
  })
}
