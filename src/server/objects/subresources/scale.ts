// /scale: the number of replicas of anything that has one, in a form of its own.

import { DecodeError, decodeValue } from '../../../api/codec/decode.ts'
import type { AnyObject } from '../../../api/object.ts'
import { applyConfiguration } from '../../../api/patch/apply/apply.ts'
import { applyPatch, type PatchType, patchTypeOf } from '../../../api/patch/patch.ts'
import { type AnyRow, groupVersionOf, type ScaleResource } from '../../../api/resource.ts'
import type {
  LabelSelector,
  ManagedFieldsEntry,
  Scale,
} from '../../../api/schema/generated/types.ts'
import { objectType } from '../../../api/schema/schema.ts'
import { formatLabelSelector, requirementsOf, requirementsOfMap } from '../../../api/selector.ts'
import { badRequest, fieldError, invalid, notFound } from '../../../api/status.ts'
import { type BodyType, decodeTyped } from '../../request/decode.ts'
import { mediaTypeOf, negotiateOutput } from '../../request/negotiation.ts'
import { type WriteOptions, writeOptions } from '../../request/options.ts'
import { formOf, rendered } from '../../response/form.ts'
import { parseYaml } from '../../response/yaml.ts'
import type { Handler, ResourceRequest } from '../../server.ts'
import { asAny, readObject } from '../../storage/reader.ts'
import { decodeStored } from '../../storage/stored.ts'
import { type Answer, bodyText } from '../../transport/call.ts'
import { matchNamespace, type Written } from '../verbs/create.ts'
import { noteManagers, setManagedFields, writerOf } from '../verbs/field-managers.ts'
import { readPatch, wrongPatchType } from '../verbs/patch.ts'
import { changeObject, matchName, type ObjectForm } from '../verbs/update.ts'

const SCALE: BodyType = {
  group: 'autoscaling',
  version: 'v1',
  kind: 'Scale',
  type: 'io.k8s.api.autoscaling.v1.Scale',
}

export function scaleHandler(row: AnyRow, verb: string): Handler | undefined {
  const scale = row.scale
  if (scale === undefined) return undefined
  if (verb === 'get') return (request) => getScale(request, scale)
  if (verb === 'update') return (request) => updateScale(request, scale)
  return verb === 'patch' ? (request) => patchScale(request, scale) : undefined
}

function getScale(request: ResourceRequest, scale: ScaleResource): Answer {
  const { server, row, info } = request
  const form = formOf(request, negotiateOutput(request.call))
  const object = readObject(server.store, row, { namespace: info.namespace, name: info.name })
  if (object === undefined) throw notFound(row, info.name)
  return rendered(200, scaleOf(asAny(object), scale), form)
}

async function updateScale(request: ResourceRequest, scale: ScaleResource): Promise<Answer> {
  const options = writeOptions(request.call.query, 'update')
  const sent = await decodeTyped(request, SCALE, options.fieldValidation)
  matchNamespace(request, sent)
  matchName(request, sent)
  return write(request, scale, options, () => sent as unknown as Scale)
}

async function patchScale(request: ResourceRequest, scale: ScaleResource): Promise<Answer> {
  const type = patchTypeOf(mediaTypeOf(request.call.header('content-type') ?? ''))
  if (type === undefined) throw wrongPatchType()
  if (type === 'apply') return applyScale(request, scale)
  const options = writeOptions(request.call.query, 'patch')
  const { body } = readPatch(await bodyText(request.call), type)
  return write(request, scale, options, (live) => patched(live, body, type))
}

function patched(live: Scale, body: unknown, type: PatchType): Scale {
  const scaleType = objectType(SCALE.type)
  const result = applyPatch({ type, body, live, objectType: scaleType })
  try {
    return decodeValue(structuredClone(result), scaleType).object as unknown as Scale
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    const fault = fieldError.invalid('patch', JSON.stringify(result), error.message)
    throw invalid({ group: '', kind: '' }, '', [fault])
  }
}

function write(
  request: ResourceRequest,
  scale: ScaleResource,
  options: WriteOptions,
  change: (live: Scale) => Scale,
): Promise<Answer> {
  return writeParent(request, scale, options, {
    change,
    into(old, wanted) {
      const object = withReplicas(old, scale, wanted)
      noteManagers(request, old, object, options.fieldManager)
      setManagedFields(object, object.metadata.managedFields?.map(withoutTime))
      return object
    },
  })
}

/** The number becomes a configuration of the object itself, which then knows its manager. */
async function applyScale(request: ResourceRequest, scale: ScaleResource): Promise<Answer> {
  const { call, row, info } = request
  const options = writeOptions(call.query, 'apply')
  const asked = readConfiguration(await bodyText(call))
  return writeParent(request, scale, options, {
    change: (live) => ({ ...live, spec: { ...live.spec, ...asked.spec } }),
    into(old, wanted) {
      const config = {
        apiVersion: groupVersionOf(row),
        kind: row.kind,
        metadata: { name: info.name },
      }
      setAt(config as AnyObject, scale.specReplicas, wanted.spec.replicas ?? 0)
      const applied = applyConfiguration({
        ...writerOf(request, options.fieldManager),
        live: old,
        config,
        objectType: row.schema(),
        kind: row.kind,
        force: options.force,
      })
      const object = structuredClone(applied.object) as AnyObject
      setManagedFields(object, applied.managedFields?.map(withoutTime))
      return object
    },
  })
}

/** Upstream knows no time for what was written through a scale. */
function withoutTime(entry: ManagedFieldsEntry): ManagedFieldsEntry {
  if (entry.subresource !== 'scale') return entry
  const { time: _time, ...rest } = entry
  return rest
}

function readConfiguration(text: string): Partial<Scale> {
  const { value } = parseYaml(text)
  const config = (value ?? {}) as Partial<Scale>
  if (config.kind === SCALE.kind && config.apiVersion === `${SCALE.group}/${SCALE.version}`) {
    return config
  }
  throw badRequest(`invalid object type: ${config.apiVersion ?? ''}, Kind=${config.kind ?? ''}`)
}

type ScaleChange = {
  change(live: Scale): Scale
  /** What the scale that was wanted, and admitted, makes of the object. */
  into(old: AnyObject, wanted: Scale): AnyObject
}

async function writeParent(
  request: ResourceRequest,
  scale: ScaleResource,
  options: WriteOptions,
  { change, into }: ScaleChange,
): Promise<Answer> {
  const output = formOf(request, negotiateOutput(request.call))
  const form: ObjectForm = {
    kind: SCALE,
    of: (object) => scaleOf(object, scale) as unknown as AnyObject,
    into: (old, sent) => into(old, sent as unknown as Scale),
  }
  const { written } = await changeObject(request, {
    part: undefined,
    mayCreate: false,
    options,
    form,
    change: (live) => structuredClone(change(live as unknown as Scale)) as unknown as AnyObject,
  })
  return rendered(200, scaleOf(objectOf(request.row, written), scale), output)
}

function objectOf(row: AnyRow, written: Written): AnyObject {
  return 'entry' in written ? decodeStored(row, written.entry) : written.object
}

function withReplicas(old: AnyObject, scale: ScaleResource, wanted: Scale): AnyObject {
  const replicas = wanted.spec.replicas ?? 0
  const { name, resourceVersion, uid } = wanted.metadata
  if (replicas < 0) {
    const detail = 'must be greater than or equal to 0'
    const fault = fieldError.invalid('spec.replicas', replicas, detail)
    throw invalid(SCALE, name ?? '', [fault])
  }
  const object = structuredClone(old)
  setAt(object, scale.specReplicas, replicas)
  if (resourceVersion) object.metadata.resourceVersion = resourceVersion
  else delete object.metadata.resourceVersion
  if (uid) object.metadata.uid = uid
  return object
}

function scaleOf(object: AnyObject, scale: ScaleResource): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const metadata = { name, namespace, uid, resourceVersion, creationTimestamp }
  const replicas = Number(at(object, scale.specReplicas) ?? 0)
  const selector = scale.selector === '' ? '' : selectorText(at(object, scale.selector))
  return {
    kind: SCALE.kind,
    apiVersion: `${SCALE.group}/${SCALE.version}`,
    metadata: JSON.parse(JSON.stringify(metadata)),
    spec: replicas === 0 ? {} : { replicas },
    status: {
      replicas: Number(at(object, scale.statusReplicas) ?? 0),
      ...(selector === '' ? {} : { selector }),
    },
  }
}

/** Older kinds have a map of labels, newer ones a LabelSelector. */
function selectorText(selector: unknown): string {
  if (typeof selector === 'string') return selector
  if (typeof selector !== 'object' || selector === null) return ''
  const isModern = 'matchLabels' in selector || 'matchExpressions' in selector
  const requirements = isModern
    ? requirementsOf(selector as LabelSelector)
    : requirementsOfMap(selector as Record<string, string>)
  return formatLabelSelector(requirements ?? [])
}

function at(object: unknown, path: string): unknown {
  return path
    .split('.')
    .filter((part) => part !== '')
    .reduce<unknown>(
      (value, part) => (value as Record<string, unknown> | undefined)?.[part],
      object,
    )
}

function setAt(object: AnyObject, path: string, value: unknown): void {
  const parts = path.split('.').filter((part) => part !== '')
  let here = object as Record<string, unknown>
  for (const part of parts.slice(0, -1)) {
    here[part] ??= {}
    here = here[part] as Record<string, unknown>
  }
  here[parts.at(-1)!] = value
}
