// What a PersistentVolumeClaim costs: itself and its storage, in all and of its class.

import { own } from '../../lib/own.ts'
import {
  compareQuantity,
  parseQuantity,
  type Quantity,
  quantityOf,
  scaledValue,
} from '../quantity.ts'
import type { PersistentVolumeClaim } from '../schema/generated/types.ts'
import type { Charge } from './contract.ts'
import { meetsWithOneOf } from './scopes.ts'

const OF_CLASS = '.storageclass.storage.k8s.io/'
const RESOURCES = ['persistentvolumeclaims', 'requests.storage']
const CLASS_ANNOTATION = 'volume.beta.kubernetes.io/storage-class'

export const claimCharge: Charge<PersistentVolumeClaim> = {
  countsFor: (name) =>
    name === 'count/persistentvolumeclaims' ||
    RESOURCES.some((resource) => name === resource || name.endsWith(OF_CLASS + resource)),

  isAsked({ operation, subresource, object, old }) {
    if (subresource === '') return operation === 'CREATE' || operation === 'UPDATE'
    return subresource === 'status' && old !== undefined && hasOtherCost(object, old)
  },

  usage(claim) {
    const storage = storageOf(claim)
    const name = classOf(claim)
    const one = quantityOf(1)
    const amounts = new Map<string, Quantity>([
      ['persistentvolumeclaims', one],
      ['count/persistentvolumeclaims', one],
    ])
    if (name !== '') amounts.set(`${name}${OF_CLASS}persistentvolumeclaims`, one)
    if (storage === undefined) return amounts
    amounts.set('requests.storage', storage)
    if (name !== '') amounts.set(`${name}${OF_CLASS}requests.storage`, storage)
    return amounts
  },

  isInScope(claim, requirement) {
    if (requirement.scopeName !== 'VolumeAttributesClass') return false
    return meetsWithOneOf(requirement, attributesClasses(claim))
  },
}

/** Whether a status changes what the claim costs, or whom. */
export function hasOtherCost(claim: PersistentVolumeClaim, old: PersistentVolumeClaim): boolean {
  const [now, before] = [claim, old].map((each) => own(each.status?.allocatedResources, 'storage'))
  if (now !== before) return true
  const [names, olds] = [claim, old].map((each) => new Set(attributesClasses(each)))
  return names!.symmetricDifference(olds!).size > 0
}

function attributesClasses({ spec, status }: PersistentVolumeClaim): string[] {
  const { currentVolumeAttributesClassName: current, modifyVolumeStatus } = status ?? {}
  const target = modifyVolumeStatus?.targetVolumeAttributesClassName
  return [spec?.volumeAttributesClassName, current, target].filter((name) => !!name) as string[]
}

function classOf({ metadata, spec }: PersistentVolumeClaim): string {
  return own(metadata.annotations, CLASS_ANNOTATION) ?? spec?.storageClassName ?? ''
}

/** Asked for, or more where more has been set aside; in whole bytes. */
function storageOf({ spec, status }: PersistentVolumeClaim): Quantity | undefined {
  const asked = own(spec?.resources?.requests, 'storage')
  if (asked === undefined) return undefined
  const [wanted, allocated] = [asked, own(status?.allocatedResources, 'storage') ?? asked]
    .map(parseQuantity)
    .map(wholeBytes)
  return compareQuantity(allocated!, wanted!) > 0 ? allocated : wanted
}

function wholeBytes(quantity: Quantity): Quantity {
  if (quantity.scale >= 0) return quantity
  return { ...quantity, unscaled: scaledValue(quantity, 0), scale: 0 }
}
