// What a LimitRange must be (ValidateLimitRange of pkg/apis/core/validation).

import { own } from '../../../../lib/own.ts'
import {
  checkContainerResourceName,
  checkResourceName,
  mayOvercommit,
} from '../../../pod/spec/quantities.ts'
import {
  compareQuantity,
  formatQuantity,
  parseQuantity,
  type Quantity,
  quantityOf,
  scaledValue,
} from '../../../quantity.ts'
import type { LimitRange, LimitRangeItem } from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { checkQualifiedName } from '../../../validation/values.ts'

const TYPES = ['Pod', 'Container', 'PersistentVolumeClaim']

export function checkLimitRange(faults: FieldErrors, { spec }: LimitRange) {
  const seen = new Set<string>()
  for (const [index, item] of (spec?.limits ?? []).entries()) {
    const at = `spec.limits[${index}]`
    const type = item.type ?? ''
    checkType(faults, `${at}.type`, type)
    if (seen.has(type)) faults.duplicate(`${at}.type`, type)
    seen.add(type)
    checkItem(faults, at, item)
  }
}

function checkType(faults: FieldErrors, at: string, type: string) {
  const before = faults.list.length
  checkQualifiedName(faults, at, type)
  if (faults.list.length > before || type.includes('/') || TYPES.includes(type)) return
  faults.invalid(at, type, 'must be a standard limit type or fully qualified')
}

function checkItem(faults: FieldErrors, at: string, item: LimitRangeItem) {
  const checkNames = (field: ListField) => {
    const check = item.type === 'Pod' || item.type === 'Container'
    for (const name of Object.keys(item[field] ?? {})) {
      const path = `${at}.${field}[${name}]`
      if (check) checkContainerResourceName(faults, path, name)
      else checkResourceName(faults, path, name)
    }
  }
  checkNames('max')
  checkNames('min')
  const ofPod = item.type === 'Pod'
  for (const field of ['default', 'defaultRequest'] as const) {
    if (!ofPod) checkNames(field)
    else if (Object.keys(item[field] ?? {}).length > 0) {
      faults.forbidden(`${at}.${field}`, "may not be specified when `type` is 'Pod'")
    }
  }
  const hasStorage = [item.min, item.max].some((list) => own(list, 'storage') !== undefined)
  if (item.type === 'PersistentVolumeClaim' && !hasStorage) {
    const detail = 'either minimum or maximum storage value is required, but neither was provided'
    faults.required(`${at}.limits`, detail)
  }
  checkNames('maxLimitRequestRatio')
  for (const name of namesOf(item)) checkAmounts(faults, at, name, amountsOf(item, name))
}

type ListField = 'max' | 'min' | 'default' | 'defaultRequest' | 'maxLimitRequestRatio'
type Amounts = { [field in ListField]: Quantity | undefined }

function namesOf(item: LimitRangeItem): string[] {
  const lists = [item.max, item.min, item.default, item.defaultRequest, item.maxLimitRequestRatio]
  return [...new Set(lists.flatMap((list) => Object.keys(list ?? {})))]
}

function amountsOf(item: LimitRangeItem, name: string): Amounts {
  const read = (field: ListField) => {
    const text = own(item[field], name)
    return text === undefined ? undefined : parseQuantity(text)
  }
  const ofPod = item.type === 'Pod'
  return {
    max: read('max'),
    min: read('min'),
    default: ofPod ? undefined : read('default'),
    defaultRequest: ofPod ? undefined : read('defaultRequest'),
    maxLimitRequestRatio: read('maxLimitRequestRatio'),
  }
}

/** One order that two amounts must be in, and what is said when they are not. */
type Order = {
  small: Quantity | undefined
  smallName: string
  large: Quantity | undefined
  largeName: string
  field: ListField
  shown: Quantity | undefined
}

function checkAmounts(faults: FieldErrors, at: string, name: string, amounts: Amounts) {
  const { max, min, default: limit, defaultRequest: request } = amounts
  const [byMin, byMax] = [
    { small: min, smallName: 'min value' },
    { large: max, largeName: 'max value' },
  ]
  const ofRequest = { field: 'defaultRequest', shown: request } as const
  const orders: readonly Order[] = [
    { ...byMin, ...byMax, field: 'min', shown: min },
    { ...byMin, large: request, largeName: 'default request value', ...ofRequest },
    { small: request, smallName: 'default request value', ...byMax, ...ofRequest },
    {
      small: request,
      smallName: 'default request value',
      large: limit,
      largeName: 'default limit value',
      ...ofRequest,
    },
    { ...byMin, large: limit, largeName: 'default value', field: 'default', shown: min },
    { small: limit, smallName: 'default value', ...byMax, field: 'default', shown: max },
  ]
  for (const { small, smallName, large, largeName, field, shown } of orders) {
    if (!small || !large || !shown || compareQuantity(small, large) <= 0) continue
    const order = `${smallName} ${formatQuantity(small)} is greater than`
    const detail = `${order} ${largeName} ${formatQuantity(large)}`
    faults.invalid(`${at}.${field}[${name}]`, formatQuantity(shown), detail)
  }
  checkRatio(faults, `${at}.maxLimitRequestRatio[${name}]`, amounts)
  if (mayOvercommit(name) || !limit || !request || compareQuantity(limit, request) === 0) return
  const must = `default value ${formatQuantity(limit)} must equal to`
  const detail = `${must} defaultRequest value ${formatQuantity(request)} in ${name}`
  faults.invalid(`${at}.defaultRequest[${name}]`, formatQuantity(request), detail)
}

/** Above this, amounts are compared in whole units, as upstream does lest they overflow. */
const MILLI_MAX = (2n ** 63n - 1n) / 1000n

function checkRatio(faults: FieldErrors, at: string, amounts: Amounts) {
  const { max, min, maxLimitRequestRatio: ratio } = amounts
  if (ratio === undefined) return
  const text = formatQuantity(ratio)
  if (compareQuantity(ratio, quantityOf(1)) < 0) {
    faults.invalid(at, text, `ratio ${text} is less than 1`)
  }
  if (min === undefined || max === undefined) return
  const isFine = [ratio, min, max].every((amount) => scaledValue(amount, 0) < MILLI_MAX)
  const scale = isFine ? -3 : 0
  const most = Number(scaledValue(max, scale)) / Number(scaledValue(min, scale))
  if (Number(scaledValue(ratio, scale)) / (isFine ? 1000 : 1) <= most) return
  faults.invalid(at, text, `ratio ${text} is greater than max/min = ${most.toFixed(6)}`)
}
