import { expect, test } from 'bun:test'
import { testServer } from '../../../test/support/server.ts'
import { SimClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { SeededRandom } from '../../lib/random.ts'
import { openStore } from '../../store/open.ts'
import { NodeKeys } from '../authn/node-keys.ts'
import { admissionPlugins } from './plugins.ts'

/**
 * What a Kubernetes 1.36 API server asks by default, in its order, and NodeRestriction, which every
 * cluster with a Node authorizer turns on.
 */
const UPSTREAM = [
  'NamespaceLifecycle',
  'LimitRanger',
  'ServiceAccount',
  'NodeRestriction',
  'TaintNodesByCondition',
  'PodSecurity',
  'Priority',
  'DefaultTolerationSeconds',
  'DefaultStorageClass',
  'StorageObjectInUseProtection',
  'PodGroupProtection',
  'PersistentVolumeClaimResize',
  'RuntimeClass',
  'CertificateApproval',
  'CertificateSigning',
  'ClusterTrustBundleAttest',
  'CertificateSubjectRestriction',
  'DefaultIngressClass',
  'PodTopologyLabels',
  'PodGroupWorkloadExists',
  'NodeDeclaredFeatureValidator',
  'JobValidation',
  'PodResizeValidator',
  'MutatingAdmissionPolicy',
  'MutatingAdmissionWebhook',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionWebhook',
  'ResourceQuota',
]

/** Not there for want of these kinds. Whoever serves one of them brings the plug-in along. */
const WAITS_FOR_KIND: Record<string, readonly string[]> = {
  ClusterTrustBundleAttest: ['ClusterTrustBundle'],
  MutatingAdmissionPolicy: ['MutatingAdmissionPolicy'],
  MutatingAdmissionWebhook: ['MutatingWebhookConfiguration'],
  ValidatingAdmissionPolicy: ['ValidatingAdmissionPolicy'],
  ValidatingAdmissionWebhook: ['ValidatingWebhookConfiguration'],
  PodGroupProtection: ['PodGroup'],
  PodGroupWorkloadExists: ['PodGroup', 'Workload'],
  JobValidation: ['Workload'],
}

/** After all of upstream's: they have nothing to see that these change. */
const OUR_OWN = ['NodeKey']

async function ourNames(): Promise<string[]> {
  const clock = new SimClock()
  const store = await openStore({ path: ':memory:', clock })
  const random = new SeededRandom(1)
  const { plugins } = admissionPlugins({
    issuer: '',
    store,
    clock,
    random,
    log: silentLog,
    settings: {},
    nodeKeys: new NodeKeys({ store, clock, random }),
    mayDo: () => false,
    observer: { evaluated() {}, exempted() {} },
  })
  await store.close()
  return plugins.map(({ name }) => name)
}

test('the plug-ins are those of upstream, in its order, but for those that wait for something', async () => {
  const names = await ourNames()
  const waiting = Object.keys(WAITS_FOR_KIND)
  const wanted = UPSTREAM.filter((name) => !waiting.includes(name))
  expect(names).toEqual([...wanted, ...OUR_OWN])
  expect(waiting.filter((name) => !UPSTREAM.includes(name))).toEqual([])
})

test('no plug-in waits for a kind that is served', async () => {
  await using server = await testServer({ bootstrap: false })
  const served = new Set(server.registry.rows.map(({ kind }) => kind))
  const overdue = Object.entries(WAITS_FOR_KIND).filter(([, kinds]) =>
    kinds.every((kind) => served.has(kind)),
  )
  expect(overdue).toEqual([])
})
