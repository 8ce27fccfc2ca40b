// Embedded resources must be resources: with a version, a kind and proper metadata.

import { own } from '../../lib/own.ts'
import {
  dns1035LabelFaults,
  dnsLabelFaults,
  isPathSegmentName,
  labelValueFaults,
  qualifiedNameFaults,
} from '../names.ts'
import { isObject, type JsonObject } from '../patch/value.ts'
import type { FieldError } from '../status.ts'
import { FieldErrors } from '../validation/field-errors.ts'
import { additionalOf, child, EMBEDDED, itemsOf, keyed, type Props } from './schema.ts'

/** Of all embedded resources in a value; never of the value itself, whose metadata others judge. */
export function embeddedFaults(value: unknown, schema: Props | undefined): FieldError[] {
  const faults = new FieldErrors()
  judge(faults, value, schema, '')
  return faults.list
}

function judge(faults: FieldErrors, value: unknown, schema: Props | undefined, path: string) {
  if (schema === undefined) return
  if (Array.isArray(value)) {
    const items = itemsOf(schema)
    value.forEach((item, i) => {
      judge(faults, item, items, keyed(path, i))
    })
    return
  }
  if (!isObject(value)) return
  if (schema[EMBEDDED]) judgeResource(faults, value, path)
  const additional = additionalOf(schema)
  for (const name of Object.keys(value)) {
    const property = own(schema.properties, name)
    const at = property === undefined ? keyed(path, name) : child(path, name)
    judge(faults, value[name], property ?? additional, at)
  }
}

function judgeResource(faults: FieldErrors, resource: JsonObject, path: string) {
  const { apiVersion, kind, metadata } = resource
  const at = (name: string) => child(path, name)
  if (apiVersion === undefined) faults.required(at('apiVersion'))
  if (kind === undefined) faults.required(at('kind'))
  if (typeof apiVersion === 'string') {
    if (apiVersion === '') faults.invalid(at('apiVersion'), apiVersion, 'must not be empty')
    else if (apiVersion.split('/').length > 2) {
      const why = `unexpected GroupVersion string: ${apiVersion}`
      faults.invalid(at('apiVersion'), apiVersion, why)
    }
  }
  if (typeof kind === 'string') {
    const wrong = dns1035LabelFaults(kind.toLowerCase())
    if (kind === '') faults.invalid(at('kind'), kind, 'must not be empty')
    else if (wrong.length > 0) {
      const why = `may have mixed case, but should otherwise match: ${wrong.join(',')}`
      faults.invalid(at('kind'), kind, why)
    }
  }
  if (isObject(metadata)) judgeMetadata(faults, metadata, at('metadata'))
}

function judgeMetadata(faults: FieldErrors, metadata: JsonObject, path: string) {
  const text = (name: string) => (typeof metadata[name] === 'string' ? metadata[name] : '')
  const map = (name: string) => (isObject(metadata[name]) ? Object.entries(metadata[name]) : [])
  for (const name of ['generateName', 'name']) {
    const wrong = text(name) === '' ? [] : isPathSegmentName(text(name), name !== 'name')
    faults.invalidAll(child(path, name), text(name), wrong)
  }
  const namespace = text('namespace')
  if (namespace !== '') {
    faults.invalidAll(child(path, 'namespace'), namespace, dnsLabelFaults(namespace))
  }
  for (const [key, value] of map('labels')) {
    faults.invalidAll(child(path, 'labels'), key, qualifiedNameFaults(key))
    faults.invalidAll(child(path, 'labels'), value, labelValueFaults(String(value)))
  }
  for (const [key] of map('annotations')) {
    const wrong = qualifiedNameFaults(key.toLowerCase())
    faults.invalidAll(child(path, 'annotations'), key, wrong)
  }
}
