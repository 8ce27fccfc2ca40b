// Probes and lifecycle hooks: commands and requests made to a container.

import { httpHeaderNameFaults } from '../../names.ts'
import type {
  Container,
  HTTPGetAction,
  Lifecycle,
  LifecycleHandler,
  Probe,
} from '../../schema/generated/types.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import {
  checkNonNegative,
  checkPort,
  checkPortOrName,
  checkSupported,
} from '../../validation/values.ts'
import type { Check } from './check.ts'

export function checkProbes(check: Check, at: string, container: Container) {
  const { faults } = check
  const { livenessProbe, readinessProbe, startupProbe } = container
  if (livenessProbe) {
    checkProbe(check, `${at}.livenessProbe`, livenessProbe)
    checkOneSuccess(faults, `${at}.livenessProbe`, livenessProbe)
  }
  if (readinessProbe) {
    checkProbe(check, `${at}.readinessProbe`, readinessProbe)
    const seconds = readinessProbe.terminationGracePeriodSeconds
    if (seconds !== undefined) {
      const path = `${at}.readinessProbe.terminationGracePeriodSeconds`
      faults.invalid(path, seconds, 'must not be set for readinessProbes')
    }
  }
  if (startupProbe) {
    checkProbe(check, `${at}.startupProbe`, startupProbe)
    checkOneSuccess(faults, `${at}.startupProbe`, startupProbe)
  }
}

function checkProbe(check: Check, at: string, probe: Probe) {
  const { faults } = check
  const { exec, httpGet, tcpSocket, grpc } = probe
  checkHandler(check, at, { exec, httpGet, tcpSocket, grpc })
  checkNonNegative(faults, `${at}.initialDelaySeconds`, probe.initialDelaySeconds)
  checkNonNegative(faults, `${at}.timeoutSeconds`, probe.timeoutSeconds)
  checkNonNegative(faults, `${at}.periodSeconds`, probe.periodSeconds)
  checkNonNegative(faults, `${at}.successThreshold`, probe.successThreshold)
  checkNonNegative(faults, `${at}.failureThreshold`, probe.failureThreshold)
  const seconds = probe.terminationGracePeriodSeconds
  if (seconds !== undefined && seconds <= 0) {
    faults.invalid(`${at}.terminationGracePeriodSeconds`, seconds, 'must be greater than 0')
  }
}

function checkOneSuccess(faults: FieldErrors, at: string, { successThreshold = 0 }: Probe) {
  if (successThreshold === 1) return
  faults.invalid(`${at}.successThreshold`, successThreshold, 'must be 1')
}

export function checkLifecycle(check: Check, at: string, { postStart, preStop }: Lifecycle) {
  if (postStart) checkHandler(check, `${at}.postStart`, postStart)
  if (preStop) checkHandler(check, `${at}.preStop`, preStop)
}

type Handler = {
  [Kind in 'exec' | 'httpGet' | 'tcpSocket' | 'sleep']?: LifecycleHandler[Kind] | undefined
} & { grpc?: Probe['grpc'] | undefined }

/** Exactly one kind; what comes after the first is not looked at. */
function checkHandler(check: Check, at: string, handler: Handler) {
  const { faults } = check
  const kinds = (['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const).filter(
    (kind) => handler[kind] !== undefined,
  )
  const [first, ...others] = kinds
  if (first === undefined) return faults.required(at, 'must specify a handler type')
  checkKind(check, `${at}.${first}`, handler)
  for (const kind of others) {
    faults.forbidden(`${at}.${kind}`, 'may not specify more than 1 handler type')
  }
}

function checkKind({ faults, spec }: Check, at: string, handler: Handler) {
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler
  if (exec) {
    if ((exec.command ?? []).length === 0) faults.required(`${at}.command`)
  } else if (httpGet) checkHttpGet(faults, at, httpGet)
  else if (tcpSocket) checkPortOrName(faults, `${at}.port`, tcpSocket.port)
  else if (grpc) checkPort(faults, `${at}.port`, grpc.port)
  else if (sleep) {
    const grace = spec.terminationGracePeriodSeconds
    const seconds = sleep.seconds ?? 0
    if (grace === undefined || (seconds >= 0 && seconds <= grace)) return
    const detail = `must be non-negative and less than terminationGracePeriodSeconds (${grace})`
    faults.invalid(at, seconds, detail)
  }
}

function checkHttpGet(faults: FieldErrors, at: string, action: HTTPGetAction) {
  if (!action.path) faults.required(`${at}.path`)
  checkPortOrName(faults, `${at}.port`, action.port)
  checkSupported(faults, `${at}.scheme`, action.scheme, ['HTTP', 'HTTPS'])
  for (const { name } of action.httpHeaders ?? []) {
    faults.invalidAll(`${at}.httpHeaders`, name ?? '', httpHeaderNameFaults(name ?? ''))
  }
}
