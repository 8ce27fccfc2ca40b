// Metrics in the words of v1, which has them in annotations alone (pkg/apis/autoscaling/v1).

import { canonicalQuantity, parseQuantity, scaledValue } from '../../../quantity.ts'
import type {
  CrossVersionObjectReference,
  LabelSelector,
  MetricIdentifier,
  MetricSpec,
  MetricStatus,
  MetricTarget,
  MetricValueStatus,
} from '../../../schema/generated/types.ts'
import { shownSelector } from '../../../validation/labels.ts'
import type { Json } from './annotations.ts'

type Shown = { readonly [field: string]: unknown }

/** A metric that is aimed at, as the annotation has it: fields in the order of their type. */
export function metricOfV2({ type, object, pods, resource, ...rest }: MetricSpec): Shown {
  const { containerResource: container, external } = rest
  return given({
    type,
    object: object && {
      target: shownReference(object.describedObject),
      metricName: object.metric.name,
      targetValue: object.target.value ?? '0',
      selector: shown(object.metric),
      averageValue: object.target.averageValue,
    },
    pods: pods && {
      metricName: pods.metric.name,
      targetAverageValue: pods.target.averageValue ?? '0',
      selector: shown(pods.metric),
    },
    resource: resource && {
      name: resource.name,
      targetAverageUtilization: resource.target.averageUtilization,
      targetAverageValue: resource.target.averageValue,
    },
    containerResource: container && {
      name: container.name,
      targetAverageUtilization: container.target.averageUtilization,
      targetAverageValue: container.target.averageValue,
      container: container.container,
    },
    external: external && {
      metricName: external.metric.name,
      metricSelector: shown(external.metric),
      targetValue: external.target.value,
      targetAverageValue: external.target.averageValue,
    },
  })
}

/** A metric as it was measured. */
export function measuredOfV2({ type, object, pods, resource, ...rest }: MetricStatus): Shown {
  const { containerResource: container, external } = rest
  return given({
    type,
    object: object && {
      target: shownReference(object.describedObject),
      metricName: object.metric.name,
      currentValue: object.current.value ?? '0',
      selector: shown(object.metric),
      averageValue: object.current.averageValue,
    },
    pods: pods && {
      metricName: pods.metric.name,
      currentAverageValue: pods.current.averageValue ?? '0',
      selector: shown(pods.metric),
    },
    resource: resource && {
      name: resource.name,
      currentAverageUtilization: resource.current.averageUtilization,
      currentAverageValue: resource.current.averageValue ?? '0',
    },
    containerResource: container && {
      name: container.name,
      currentAverageUtilization: container.current.averageUtilization,
      currentAverageValue: container.current.averageValue ?? '0',
      container: container.container,
    },
    external: external && {
      metricName: external.metric.name,
      metricSelector: shown(external.metric),
      currentValue: external.current.value ?? '0',
      currentAverageValue: external.current.averageValue,
    },
  })
}

/** The other way. Throws for what is none. */
export function metricOfV1(json: Json): MetricSpec {
  const [object, pods] = [json.field('object'), json.field('pods')]
  const [resource, external] = [json.field('resource'), json.field('external')]
  const container = json.field('containerResource')
  return given({
    type: json.field('type').text() ?? '',
    object: object.isMissing ? undefined : objectMetric(object),
    pods: pods.isMissing
      ? undefined
      : {
          metric: identifier(pods, 'selector'),
          target: {
            type: 'AverageValue',
            averageValue: quantity(pods, 'targetAverageValue') ?? '0',
          },
        },
    resource: resource.isMissing
      ? undefined
      : { name: resource.field('name').text() ?? '', target: resourceTarget(resource) },
    containerResource: container.isMissing
      ? undefined
      : {
          name: container.field('name').text() ?? '',
          container: container.field('container').text() ?? '',
          target: resourceTarget(container),
        },
    external: external.isMissing ? undefined : externalMetric(external),
  }) as unknown as MetricSpec
}

function objectMetric(json: Json) {
  const averageValue = quantity(json, 'averageValue')
  const value = quantity(json, 'targetValue') ?? '0'
  // What is aimed at by average says zero where it has no value of its own.
  const target: MetricTarget =
    averageValue === undefined
      ? { type: 'Value', value }
      : given({ type: 'AverageValue', value: isZero(value) ? undefined : value, averageValue })
  return {
    describedObject: reference(json.field('target')),
    metric: identifier(json, 'selector'),
    target,
  }
}

function externalMetric(json: Json) {
  const value = quantity(json, 'targetValue')
  const target = given({
    type: value === undefined ? 'AverageValue' : 'Value',
    value,
    averageValue: quantity(json, 'targetAverageValue'),
  })
  return { metric: identifier(json, 'metricSelector'), target }
}

function resourceTarget(json: Json): MetricTarget {
  const averageUtilization = json.field('targetAverageUtilization').integer()
  return given({
    type: averageUtilization === undefined ? 'AverageValue' : 'Utilization',
    averageValue: quantity(json, 'targetAverageValue'),
    averageUtilization,
  })
}

export function measuredOfV1(json: Json): MetricStatus {
  const [object, pods] = [json.field('object'), json.field('pods')]
  const [resource, external] = [json.field('resource'), json.field('external')]
  const container = json.field('containerResource')
  return given({
    type: json.field('type').text() ?? '',
    object: object.isMissing
      ? undefined
      : {
          describedObject: reference(object.field('target')),
          metric: identifier(object, 'selector'),
          current: measured(object, { value: 'currentValue', averageValue: 'averageValue' }),
        },
    pods: pods.isMissing
      ? undefined
      : {
          metric: identifier(pods, 'selector'),
          current: { averageValue: quantity(pods, 'currentAverageValue') ?? '0' },
        },
    resource: resource.isMissing
      ? undefined
      : { name: resource.field('name').text() ?? '', current: resourceMeasured(resource) },
    containerResource: container.isMissing
      ? undefined
      : {
          name: container.field('name').text() ?? '',
          container: container.field('container').text() ?? '',
          current: resourceMeasured(container),
        },
    external: external.isMissing
      ? undefined
      : {
          metric: identifier(external, 'metricSelector'),
          current: measured(external, {
            value: 'currentValue',
            averageValue: 'currentAverageValue',
          }),
        },
  }) as unknown as MetricStatus
}

function measured(json: Json, names: { value: string; averageValue: string }): MetricValueStatus {
  return given({
    value: quantity(json, names.value) ?? '0',
    averageValue: quantity(json, names.averageValue),
  })
}

function resourceMeasured(json: Json): MetricValueStatus {
  return given({
    averageValue: quantity(json, 'currentAverageValue') ?? '0',
    averageUtilization: json.field('currentAverageUtilization').integer(),
  })
}

function reference(json: Json): CrossVersionObjectReference {
  return given({
    kind: json.field('kind').text() ?? '',
    name: json.field('name').text() ?? '',
    apiVersion: json.field('apiVersion').text() || undefined,
  })
}

function shownReference({ kind, name, apiVersion }: CrossVersionObjectReference): Shown {
  return given({ kind, name, apiVersion: apiVersion || undefined })
}

function identifier(json: Json, selectorName: string): MetricIdentifier {
  const selector = json.field(selectorName).object<LabelSelector>()
  return given({ name: json.field('metricName').text() ?? '', selector })
}

function shown({ selector }: MetricIdentifier) {
  return selector && shownSelector(selector)
}

function quantity(json: Json, name: string): string | undefined {
  const text = json.field(name).scalar()
  return text === undefined ? undefined : canonicalQuantity(text)
}

function isZero(text: string): boolean {
  return scaledValue(parseQuantity(text), -9) === 0n
}

/** Without what is undefined, all the way down. */
function given<T extends object>(fields: T): Given<T> {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(
    entries.map(([key, value]) => [key, isPlain(value) ? given(value) : value]),
  ) as Given<T>
}

type Given<T> = { [K in keyof T]: Exclude<T[K], undefined> }

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
