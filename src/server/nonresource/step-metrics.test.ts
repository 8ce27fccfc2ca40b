import { expect, test } from 'bun:test'
import { testServer } from '../../../test/support/server.ts'
import { authenticated } from '../authn/authenticator.ts'

const NAMESPACES = '/api/v1/namespaces'
const ANN = authenticated({ username: 'ann@example.org', groups: [] })

/** Lines of /metrics of these names, without those of buckets. */
function linesOf(text: string, ...names: readonly string[]): string[] {
  return text
    .split('\n')
    .filter((line) => names.some((name) => line.startsWith(name)) && !line.includes('_bucket{'))
    .filter((line) => !/_sum\{/.test(line))
}

test('the steps of requests are counted, and timed, as upstream does', async () => {
  await using server = await testServer({ bootstrap: false })
  const labels = { 'pod-security.kubernetes.io/enforce': 'baseline' }
  await server.call('POST', NAMESPACES, { body: { metadata: { name: 'n', labels } } })
  const accounts = `${NAMESPACES}/n/serviceaccounts`
  await server.call('POST', accounts, { body: { metadata: { name: 'default' } } })
  const pod = (privileged: boolean) => ({
    metadata: { generateName: 'p-' },
    spec: { containers: [{ name: 'c', image: 'i', securityContext: { privileged } }] },
  })
  const pods = `${NAMESPACES}/n/pods`
  expect((await server.call('POST', pods, { body: pod(false) })).code).toBe(201)
  expect((await server.call('POST', pods, { body: pod(true) })).code).toBe(403)
  expect((await server.call('GET', pods, { user: ANN })).code).toBe(403)
  const refused = { headers: { authorization: 'Bearer x' }, user: undefined }
  await server.app.fetch(new Request('http://x/api', refused as never), {} as never)
  await server.app.fetch(new Request('http://x/healthz'), {} as never)
  await server.call('GET', pods)
  const { text } = await server.call('GET', '/metrics')

  expect(linesOf(text, 'authentication_attempts', 'authenticated_user', 'authorization_')).toEqual([
    'authentication_attempts{result="success"} 1',
    'authentication_attempts{result="error"} 1',
    expect.stringMatching(/^authorization_attempts_total\{result="allowed"\} \d+$/),
    'authorization_attempts_total{result="no-opinion"} 1',
    expect.stringMatching(/^authorization_duration_seconds_count\{result="allowed"\} \d+$/),
    'authorization_duration_seconds_count{result="no-opinion"} 1',
    'authenticated_user_requests{username="other"} 1',
  ])
  const step = 'apiserver_admission_step_admission_duration_seconds_count'
  expect(text).toContain(`${step}{type="validate",operation="CREATE",rejected="true"} 1`)
  const plugin = 'apiserver_admission_controller_admission_duration_seconds_count'
  const security = `${plugin}{name="PodSecurity",type="validate",operation="CREATE"`
  expect(text).toContain(`${security},rejected="true"} 1`)
  expect(text).toMatch(new RegExp(`${security},rejected="false"\\} \\d+`.replace('{', '\\{')))
  expect(linesOf(text, 'pod_security_')).toEqual(
    ['allow', 'deny'].map(
      (decision) =>
        `pod_security_evaluations_total{decision="${decision}",policy_level="baseline",` +
        'policy_version="latest",mode="enforce",request_operation="create",resource="pod",subresource=""} 1',
    ),
  )
  expect(text).toContain('etcd_requests_total{operation="create",group="",resource="pods"} 1')
  expect(text).toContain(
    'etcd_request_duration_seconds_count{operation="create",group="",resource="pods"} 1',
  )
  expect(text).toMatch(/apiserver_storage_size_bytes\{storage_cluster_id="sqlite-0"\} [1-9]\d{3,}/)
  expect(text).toContain('apiserver_storage_objects{resource="pods"} 1')
  const answers = /apiserver_response_sizes_sum\{verb="LIST",[^}]*resource="pods"[^}]*\} (\d+)/
  expect(Number(answers.exec(text)?.[1])).toBeGreaterThan(500)
})
