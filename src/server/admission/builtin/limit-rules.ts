// What a LimitRange says against a pod or a claim, in upstream's words. Pure.

import { containerTotals, type ResourceList } from '../../../api/pod/resources.ts'
import { parseQuantity, type Quantity, scaledValue, ZERO } from '../../../api/quantity.ts'
import type {
  LimitRange,
  LimitRangeItem,
  PersistentVolumeClaim,
  Pod,
  PodSpec,
} from '../../../api/schema/generated/types.ts'
import { own } from '../../../lib/own.ts'

export function podFaults({ spec: { limits } }: LimitRange, { spec }: Pod): string[] {
  return (limits ?? []).flatMap((item) => {
    if (item.type === 'Container') {
      return [...(spec.containers ?? []), ...(spec.initContainers ?? [])].flatMap((container) => {
        const { requests = {}, limits = {} } = container.resources ?? {}
        return itemFaults(item, { requests, limits })
      })
    }
    if (item.type !== 'Pod') return []
    const [requests, most] = [totalsOf(spec, 'requests'), totalsOf(spec, 'limits')]
    return itemFaults(item, { requests, limits: most })
  })
}

/** Requests alone count: claims have no limits. */
export function claimFaults(
  { spec: { limits } }: LimitRange,
  claim: PersistentVolumeClaim,
): string[] {
  const requests = claim.spec?.resources?.requests ?? {}
  return (limits ?? []).flatMap((item) => {
    if (item.type !== 'PersistentVolumeClaim') return []
    return [
      ...each(item.min, (name, least) => minFault(item, name, least, { requests, limits: {} })),
      ...each(item.max, (name, most) => maxRequestFault(item, name, most, requests)),
    ]
  })
}

/** Of the containers, or what the pod says of CPU and memory for all of them; no overhead. */
function totalsOf(spec: PodSpec, of: 'requests' | 'limits'): ResourceList {
  const totals = containerTotals(spec, of)
  for (const name of ['cpu', 'memory']) {
    const whole = own(spec.resources?.[of], name)
    if (whole !== undefined) totals[name] = whole
  }
  return totals
}

type Asked = { requests: ResourceList; limits: ResourceList }
type Fault = string | undefined

function itemFaults(item: LimitRangeItem, asked: Asked): string[] {
  return [
    ...each(item.min, (name, least) => minFault(item, name, least, asked)),
    ...each(item.max, (name, most) => maxFault(item, name, most, asked)),
    ...each(item.maxLimitRequestRatio, (name, most) => ratioFault(item, name, most, asked)),
  ]
}

function each(
  list: ResourceList | undefined,
  faultOf: (name: string, bound: string) => Fault,
): string[] {
  return Object.entries(list ?? {}).flatMap(([name, bound]) => faultOf(name, bound) ?? [])
}

function minFault({ type }: LimitRangeItem, name: string, least: string, asked: Asked): Fault {
  const [request, limit] = [own(asked.requests, name), own(asked.limits, name)]
  const what = `minimum ${name} usage per ${type} is ${least}`
  if (request === undefined) return `${what}.  No request is specified`
  const [askedFor, most, bound] = comparable(request, limit, least)
  if (askedFor < bound) return `${what}, but request is ${request}`
  return limit !== undefined && most < bound ? `${what}, but limit is ${limit}` : undefined
}

function maxFault({ type }: LimitRangeItem, name: string, bound: string, asked: Asked): Fault {
  const [request, limit] = [own(asked.requests, name), own(asked.limits, name)]
  const what = `maximum ${name} usage per ${type} is ${bound}`
  if (limit === undefined) return `${what}.  No limit is specified`
  const [askedFor, most, allowed] = comparable(request, limit, bound)
  if (most > allowed) return `${what}, but limit is ${limit}`
  return request !== undefined && askedFor > allowed
    ? `${what}, but request is ${request}`
    : undefined
}

function maxRequestFault(
  { type }: LimitRangeItem,
  name: string,
  bound: string,
  requests: ResourceList,
): Fault {
  const request = own(requests, name)
  const what = `maximum ${name} usage per ${type} is ${bound}`
  if (request === undefined) return `${what}.  No request is specified`
  const [askedFor, , allowed] = comparable(request, undefined, bound)
  return askedFor > allowed ? `${what}, but request is ${request}` : undefined
}

function ratioFault({ type }: LimitRangeItem, name: string, bound: string, asked: Asked): Fault {
  const what = `${name} max limit to request ratio per ${type} is ${bound}`
  const [request, limit] = [own(asked.requests, name), own(asked.limits, name)]
  const [askedFor, most] = comparable(request, limit, bound)
  if (askedFor === 0n) return `${what}, but no request is specified or request is 0`
  if (most === 0n) return `${what}, but no limit is specified or limit is 0`
  const ratio = Number(most) / Number(askedFor)
  if (ratio * 1000 <= Number(scaledValue(parseQuantity(bound), -3))) return undefined
  return `${what}, but provided ratio is ${ratio.toFixed(6)}`
}

/** Above this, amounts are compared in whole units, as upstream does lest they overflow. */
const MILLI_MAX = (2n ** 63n - 1n) / 1000n

/** All three in thousandths, or in whole units when one is too large for that. */
function comparable(
  request: string | undefined,
  limit: string | undefined,
  bound: string,
): [bigint, bigint, bigint] {
  const read = (text: string | undefined): Quantity =>
    text === undefined ? ZERO : parseQuantity(text)
  const amounts = [read(request), read(limit), read(bound)]
  const isFine = amounts.every((amount) => scaledValue(amount, 0) <= MILLI_MAX)
  return amounts.map((amount) => scaledValue(amount, isFine ? -3 : 0)) as [bigint, bigint, bigint]
}
