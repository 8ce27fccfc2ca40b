import { afterAll, expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatLevelVersion } from '../server/admission/podsecurity/policy.ts'
import { loadAdmission } from './admission-control.ts'

const folder = await mkdtemp(join(tmpdir(), 'kedge-admission-'))
afterAll(() => rm(folder, { recursive: true }))

const HEAD = 'apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\n'
const POD_SECURITY = `
apiVersion: pod-security.admission.config.k8s.io/v1
kind: PodSecurityConfiguration
defaults: { enforce: baseline, enforce-version: v1.30 }
exemptions: { namespaces: [kube-system] }`

async function load(text: string, name = 'admission.yaml') {
  const path = join(folder, name)
  await writeFile(path, text)
  return loadAdmission({ 'admission-control-config-file': path })
}

const indented = (text: string) => text.replaceAll('\n', '\n    ')

test('nothing is told by default, and by a file without plug-ins', async () => {
  expect(await loadAdmission({ 'admission-control-config-file': undefined })).toEqual({})
  expect(await load(HEAD)).toEqual({})
})

test('Pod Security is told in the file, or in one beside it', async () => {
  await writeFile(join(folder, 'beside.yaml'), POD_SECURITY)
  const inline = `${HEAD}plugins:\n- name: PodSecurity\n  configuration:${indented(POD_SECURITY)}\n`
  const beside = `${HEAD}plugins: [{ name: PodSecurity, path: beside.yaml }]\n`
  for (const text of [inline, beside]) {
    const { podSecurity } = await load(text)
    expect(formatLevelVersion(podSecurity!.defaults.enforce)).toBe('baseline:v1.30')
    expect([...podSecurity!.exempt.namespaces]).toEqual(['kube-system'])
  }
})

test('what is wrong is named, with the file', async () => {
  const path = join(folder, 'admission.yaml')
  const faults = [
    ['plugins: [', 'is not valid YAML: '],
    ['text', 'the file: must hold keys and values'],
    [
      'kind: Other',
      'is no AdmissionConfiguration: begin with apiVersion: apiserver.config.k8s.io/v1',
    ],
    [`${HEAD}plugin: []`, 'the file: plugin is not known'],
    [`${HEAD}plugins: {}`, 'plugins: must be a list'],
    [`${HEAD}plugins: [{ name: constructor }]`, 'plugins[0]: only PodSecurity can be told'],
    [`${HEAD}plugins: [{ name: PodSecurity }]`, 'plugins[0]: give either configuration or path'],
    [
      `${HEAD}plugins: [{ name: PodSecurity, path: a }, { name: PodSecurity, path: a }]`,
      'plugins: PodSecurity is there twice',
    ],
    [
      `${HEAD}plugins: [{ name: PodSecurity, path: none.yaml }]`,
      `plugins[0].path: ${folder}/none.yaml: there is no such file`,
    ],
    [
      `${HEAD}plugins: [{ name: PodSecurity, configuration: { apiVersion: pod-security.admission.config.k8s.io/v1, kind: PodSecurityConfiguration, defaults: { warn: x } } }]`,
      'plugins[0].configuration: defaults.warn: Invalid value: "x": must be one of privileged, baseline, restricted',
    ],
  ] as const
  for (const [text, message] of faults)
    await expect(load(text)).rejects.toThrow(`${path}: ${message}`)
  const missing = loadAdmission({ 'admission-control-config-file': '/none.yaml' })
  await expect(missing).rejects.toThrow(
    '--admission-control-config-file /none.yaml: there is no such file: name a readable file',
  )
})
