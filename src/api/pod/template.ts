// Rules for pod templates, wherever they stand.

import type { PodTemplateSpec } from '../schema/generated/types.ts'
import type { FieldErrors } from '../validation/field-errors.ts'
import { checkAnnotations, checkLabels } from '../validation/labels.ts'
import { checkPodAnnotations } from './annotations.ts'
import { checkProfilesMatch } from './profiles.ts'
import { checkPodSpec } from './spec/spec.ts'

export function checkPodTemplate(faults: FieldErrors, at: string, template: PodTemplateSpec) {
  const { labels, annotations } = template.metadata ?? {}
  const spec = template.spec ?? { containers: [] }
  checkLabels(faults, `${at}.labels`, labels)
  checkAnnotations(faults, `${at}.annotations`, annotations)
  checkPodAnnotations(faults, `${at}.annotations`, annotations, spec)
  checkPodSpec(faults, `${at}.spec`, spec, undefined)
  checkProfilesMatch(faults, `${at}.spec`, spec, annotations)
  if ((spec.ephemeralContainers ?? []).length > 0) {
    const detail = 'ephemeral containers not allowed in pod template'
    faults.forbidden(`${at}.spec.ephemeralContainers`, detail)
  }
}

/** Templates of workloads that keep pods alive. `kind` is for the message. */
export function checkKeptTemplate(
  faults: FieldErrors,
  at: string,
  template: PodTemplateSpec,
  kind: string,
) {
  checkPodTemplate(faults, at, template)
  checkRestarts(faults, at, template, kind)
}

/** Pods that are kept alive are started again for ever. */
export function checkRestarts(
  faults: FieldErrors,
  at: string,
  template: PodTemplateSpec,
  kind: string,
) {
  const { restartPolicy, activeDeadlineSeconds } = template.spec ?? {}
  if (restartPolicy !== 'Always') {
    faults.notSupported(`${at}.spec.restartPolicy`, restartPolicy ?? '', ['Always'])
  }
  if (activeDeadlineSeconds !== undefined) {
    const detail = `activeDeadlineSeconds in ${kind} is not Supported`
    faults.forbidden(`${at}.spec.activeDeadlineSeconds`, detail)
  }
}
