// From a container of a pod to everything the runtime needs to start it.

import { join } from 'node:path'
import { expand } from '../../api/pod/expand.ts'
import { readFileIfAny } from '../../lib/files.ts'
import type { ContainerConfig, SandboxConfig } from '../../runtime/contract.ts'
import type { MountConfig } from '../../volumes/contract.ts'
import { hostsFile, kernelHostName, nodeHostsFile, resolvConfOf } from '../../volumes/pod-files.ts'
import type { PodVolumes } from '../../volumes/volumes.ts'
import { type EnvView, environmentOf } from '../env/env.ts'
import type { Action } from '../plan/pod-seen.ts'
import { cgroupParentOf, oomScoreAdjOf, volumeGroupsOf } from '../resources.ts'
import type { NodeSettings } from '../settings.ts'

type Start = Extract<Action, { do: 'start' }>

export type ConfigDeps = { readonly volumes: PodVolumes; readonly settings: NodeSettings }

const HOSTS = '/etc/hosts'

/** Throws ContainerError CreateContainerConfigError when the pod names what is not there. */
export async function containerConfig(
  { volumes, settings }: ConfigDeps,
  view: EnvView,
  { container, kind, attempt, image }: Start,
  signal: AbortSignal,
): Promise<ContainerConfig> {
  const { pod } = view
  const env = await environmentOf(view, container, signal)
  const expanded = (words: readonly string[] | undefined) =>
    words?.map((word) => expand(word, (name) => env.get(name)))
  const hasOwnHosts = container.volumeMounts?.some(({ mountPath }) => mountPath === HOSTS)
  const [mounts, hosts, terminationMessageFile] = await Promise.all([
    volumes.mountsOf(pod, container, env),
    hasOwnHosts ? [] : hostsMount({ volumes, settings }, view),
    volumes.terminationFile(pod, container.name, attempt),
  ])
  return {
    pod,
    container,
    kind,
    attempt,
    image,
    command: expanded(container.command),
    args: expanded(container.args),
    env: [...env].map(([name, value]) => `${name}=${value}`),
    mounts: [...mounts, ...hosts],
    cgroupParent: cgroupParentOf(pod),
    oomScoreAdj: oomScoreAdjOf(pod, container, settings.memoryBytes),
    logPath: logPath(settings, pod, container.name, attempt),
    terminationMessageFile,
    volumeGroups: volumeGroupsOf(pod),
  }
}

async function hostsMount(
  { volumes, settings }: ConfigDeps,
  view: EnvView,
): Promise<MountConfig[]> {
  const { pod, podIps } = view
  const text = pod.spec.hostNetwork
    ? nodeHostsFile(pod, (await readFileIfAny(settings.hostsPath)) ?? '')
    : hostsFile(pod, podIps, settings.clusterDomain)
  const hostPath = await volumes.sharedFile(pod, 'etc-hosts', text)
  return [{ hostPath, containerPath: HOSTS, readOnly: false, propagation: 'private' }]
}

/** Where the logs of a pod lie, for as long as the pod is in the API. */
function logFolder(settings: NodeSettings, pod: EnvView['pod']): string {
  const { namespace, name, uid } = pod.metadata
  return join(settings.logsFolder, `${namespace}_${name}_${uid}`)
}

export function logPath(
  settings: NodeSettings,
  pod: EnvView['pod'],
  container: string,
  attempt: number,
): string {
  return join(logFolder(settings, pod), container, `${attempt}.log`)
}

export async function sandboxConfig(
  settings: NodeSettings,
  pod: EnvView['pod'],
): Promise<SandboxConfig> {
  const nodeFile = (await readFileIfAny(settings.resolvConfPath)) ?? ''
  const sysctls = pod.spec.securityContext?.sysctls ?? []
  return {
    hostname: kernelHostName(pod, settings.clusterDomain, settings.hostName),
    cgroupParent: cgroupParentOf(pod),
    resolvConf: resolvConfOf(pod, settings, nodeFile),
    sysctls: Object.fromEntries(sysctls.map(({ name, value }) => [name, value ?? ''])),
  }
}
