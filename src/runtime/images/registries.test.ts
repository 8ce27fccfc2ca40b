import { describe, expect, test } from 'bun:test'
import { NO_REGISTRIES, planPull } from './registries.ts'
import { parseRegistries } from './registries-file.ts'

const account = { username: 'me', password: 'p' }
const endpoint = ['https://mirror:5000']

describe('parseRegistries', () => {
  test('takes a file that says nothing', () => {
    for (const nothing of [undefined, null, {}, { mirrors: null, configs: {} }]) {
      expect(parseRegistries(nothing)).toEqual(NO_REGISTRIES)
    }
  })

  test('names the place of every fault, and what would be right', () => {
    const faults: [unknown, string][] = [
      [[], 'the file: must hold keys and values'],
      [{ mirror: {} }, 'the file: mirror is not known: there are mirrors, configs'],
      [{ mirrors: { a: { endpoints: [] } } }, 'mirrors.a: endpoints is not known: there are endp'],
      [{ mirrors: { a: { endpoint: 'https://x' } } }, 'mirrors.a.endpoint: must be a list'],
      [{ mirrors: { a: { endpoint: ['x:5000'] } } }, 'mirrors.a.endpoint: "x:5000" is not valid'],
      [{ mirrors: { a: { endpoint: ['https://u:p@x'] } } }, 'mirrors.a.endpoint: "https://u:p@x"'],
      [{ mirrors: { a: { rewrite: { '(': 'x' } } } }, 'mirrors.a.rewrite: "(" is no regular exp'],
      [{ mirrors: { a: { rewrite: { x: 1 } } } }, 'mirrors.a.rewrite.x: must be text'],
      [{ configs: { a: { auth: { username: 'x' } } } }, 'configs.a.auth: needs username and pass'],
      [{ configs: { a: { auth: { auth: 'eA==' } } } }, 'configs.a.auth.auth: must be base64 of'],
      [{ configs: { a: { auth: { identity_token: 'x' } } } }, 'configs.a.auth: identity_token is'],
      [{ configs: { '*': { auth: account } } }, 'configs.*.auth: would show one account to every'],
      [{ configs: { a: { tls: { ca_file: 'ca' } } } }, 'configs.a.tls.ca_file: must be an absol'],
      [{ configs: { a: { tls: { cert_file: '/c' } } } }, 'configs.a.tls: needs cert_file and key'],
      [{ configs: { a: { tls: { insecure_skip_verify: 'yes' } } } }, 'must be true or false'],
    ]
    for (const [value, words] of faults) expect(() => parseRegistries(value)).toThrow(words)
  })

  test('keeps names apart that objects have by themselves', () => {
    const file = JSON.parse('{"mirrors":{"__proto__":{"endpoint":["https://x"]},"constructor":{}}}')
    expect([...parseRegistries(file).mirrors.keys()]).toEqual(['__proto__', 'constructor'])
    expect(planPull('constructor.example/a:1', [], parseRegistries({}))).toHaveLength(1)
  })
})

describe('planPull', () => {
  const from = (file: unknown, name: string) =>
    planPull(name, [], parseRegistries(file)).map((attempt) => attempt.from)

  test('asks the registry alone when there is nothing else', () => {
    expect(planPull('docker.io/library/a:1', [], NO_REGISTRIES)).toEqual([
      {
        from: 'docker.io',
        name: 'docker.io/library/a:1',
        credentials: undefined,
        isPlain: false,
        hostsFile: undefined,
      },
    ])
    expect(planPull('127.0.0.1:5000/a:1', [], NO_REGISTRIES)[0]?.isPlain).toBe(true)
  })

  test('asks the mirrors first, and those of all only where there are no others', () => {
    const mirrors = { '*': { endpoint }, 'own.example': { endpoint: ['http://own'] } }
    expect(from({ mirrors }, 'docker.io/a/b:1')).toEqual(['https://mirror:5000', 'docker.io'])
    expect(from({ mirrors }, 'own.example/a:1')).toEqual(['http://own', 'own.example'])
  })

  test('rewrites for mirrors only, by the first rule that changes anything', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as the file has it.
    const rewrite = { '^z/': 'y/', '^library/(.*)': 'x/${1}', '.*': 'never' }
    const file = { mirrors: { 'docker.io': { endpoint, rewrite } } }
    const names = planPull('docker.io/library/a:1', [], parseRegistries(file)).map((a) => a.name)
    expect(names).toEqual(['docker.io/x/a:1', 'docker.io/library/a:1'])
  })

  test('gives each place its own account, and a pod’s only to the registry', () => {
    const configs = { 'mirror:5000': { auth: account } }
    const file = parseRegistries({ mirrors: { '*': { endpoint } }, configs })
    const pods = [1, 2].map((one) => ({ username: `pod${one}`, password: 'q' }))
    const users = planPull('docker.io/a/b:1', pods, file).map((one) => one.credentials?.username)
    expect(users).toEqual(['me', 'pod1', 'pod2'])
  })

  test('finds what is said of Docker’s registry under both of its names', () => {
    for (const name of ['docker.io', 'https://registry-1.docker.io']) {
      const file = parseRegistries({ configs: { [name]: { auth: account } } })
      expect(planPull('docker.io/a/b:1', [], file)[0]?.credentials).toEqual(account)
    }
  })

  test('writes for containerd what the endpoint needs, with every sign escaped', () => {
    const tls = { ca_file: '/a"b\\c.crt', cert_file: '/c', key_file: '/k' }
    const mirrors = { 'docker.io': { endpoint: ['https://mirror:5000/v2/proxy/'] } }
    const file = parseRegistries({ mirrors, configs: { 'mirror:5000': { tls } } })
    expect(planPull('docker.io/a/b:1', [], file)[0]?.hostsFile).toBe(
      'server = "https://mirror:5000/v2/proxy"\n' +
        'capabilities = ["push"]\n' +
        '[host."https://mirror:5000/v2/proxy"]\n' +
        'capabilities = ["pull", "resolve"]\n' +
        'override_path = true\n' +
        'ca = "/a\\"b\\\\c.crt"\n' +
        'client = [["/c", "/k"]]\n',
    )
  })
})
