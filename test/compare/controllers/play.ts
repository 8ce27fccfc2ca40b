// Plays a scenario in a namespace and keeps, after each step, all that the controllers have made.

import { normal } from '../normal.ts'
import type { Step } from './scenarios.ts'

export type World = {
  namespace: string
  /** The answer as JSON; throws for refusals. */
  send(method: string, path: string, body?: object): Promise<Json>
  /** Returns when the controllers have nothing more to do. */
  settle(): Promise<void>
}

// biome-ignore lint/suspicious/noExplicitAny: whatever an API server answers.
export type Json = any

const KINDS = [
  '/apis/apps/v1/namespaces/{ns}/statefulsets',
  '/apis/apps/v1/namespaces/{ns}/daemonsets',
  '/apis/apps/v1/namespaces/{ns}/controllerrevisions',
  '/api/v1/namespaces/{ns}/persistentvolumeclaims',
]
const PODS = '/api/v1/namespaces/{ns}/pods'
const EVENTS = '/api/v1/namespaces/{ns}/events'

export type Shot = { does: string; objects: unknown[]; events: string[] }

export async function play(steps: readonly Step[], world: World): Promise<Shot[]> {
  const at = (path: string) => path.replaceAll('{ns}', world.namespace)
  const list = async (path: string) => (await world.send('GET', at(path))).items as Json[]
  const shots: Shot[] = []
  for (const step of steps) {
    if ('nodes' in step) await act(step.nodes, await list(PODS), at(PODS), world)
    else await world.send(step.method, at(step.path), step.body)
    await world.settle()
    const objects = (await Promise.all([...KINDS, PODS].map(list))).flat()
    const events = await list(EVENTS)
    shots.push(comparable(step.does, objects, events, world.namespace))
  }
  return shots
}

async function act(what: string, pods: Json[], at: string, world: World): Promise<void> {
  for (const { metadata, status } of pods) {
    const path = `${at}/${metadata.name}`
    if (what === 'end' && metadata.deletionTimestamp) {
      await world.send('DELETE', path, { gracePeriodSeconds: 0 })
    } else if (what === 'start' && status.phase === 'Pending') {
      const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: LONG_AGO }]
      await world.send('PATCH', `${path}/status`, { status: { phase: 'Running', conditions } })
    } else if (what === 'fail') {
      await world.send('PATCH', `${path}/status`, { status: { phase: 'Failed' } })
    }
  }
}

const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g
const LONG_AGO = '2020-01-01T00:00:00Z'

/**
 * Names that hold a hash which nobody else can make, or chance, are told by their order: the n-th
 * revision of a DaemonSet, the only pod of a node.
 */
function comparable(does: string, objects: Json[], events: Json[], namespace: string): Shot {
  const names = new Map<string, string>()
  const revisions = objects
    .filter(({ data, metadata }) => data && metadata.ownerReferences[0].kind === 'DaemonSet')
    .sort((a, b) => a.revision - b.revision)
  for (const [index, { metadata }] of revisions.entries()) {
    names.set(metadata.labels['controller-revision-hash'], `<hash ${index}>`)
  }
  for (const { metadata } of objects) {
    const isByChance = metadata.generateName && metadata.ownerReferences[0].kind === 'DaemonSet'
    if (isByChance) names.set(metadata.name, `${metadata.generateName}<generated>`)
  }
  const renamed = (value: unknown): unknown => {
    // Keys of managed fields hold uids too.
    let text = JSON.stringify(value).replaceAll(UUID, '<uuid>')
    for (const [name, by] of names) text = text.replaceAll(name, by)
    return JSON.parse(text)
  }
  const shown = objects.map((object) => normal(withoutNodes(object), namespace, NOTHING))
  const texts = events
    .filter(({ source }) => /set-controller/.test(source?.component ?? ''))
    // Whether somebody else wrote first is chance.
    .filter(({ message }) => !message.includes('the object has been modified'))
    .map(({ type, reason, message, involvedObject, source }) => {
      const about = `${involvedObject.kind}/${involvedObject.name}`
      return `${source.component} ${about} ${type} ${reason}: ${message}`
    })
  // Of pods that are gone nobody knows the name any more.
  const told = texts.map((text) => text.replace(/(pod:|default\/|cmp-\w+\/)\s?web-\w+/, '$1 <pod>'))
  return {
    does,
    objects: (renamed(shown) as Json[]).toSorted(byText),
    events: [...new Set(told.map((text) => text.replaceAll(namespace, '<ns>')))].toSorted(),
  }
}

const NOTHING = { ignore: [], unordered: [] }

/** Conditions and managers that are not of the controllers at hand. */
function withoutNodes(object: Json): Json {
  const { metadata, status = {}, ...rest } = structuredClone(object)
  metadata.managedFields = (metadata.managedFields ?? []).filter(
    ({ manager, subresource }: Json) =>
      manager === 'kube-controller-manager' && !(object.spec?.containers && subresource),
  )
  delete metadata.resourceVersion
  if (object.spec?.containers) return { ...rest, metadata, status: { phase: status.phase } }
  return { ...rest, metadata, status }
}

function byText(a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1
}
