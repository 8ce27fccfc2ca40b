// Where the API takes a word from a person, apart from the fields of objects: paths, queries, headers,
// patches, rights.

import { ADMIN, type TestCall } from '../support/server.ts'

export type Send = (method: string, path: string, call?: TestCall) => Promise<unknown>

const text = (value: unknown) => JSON.stringify(value)

const MAPS = '/api/v1/namespaces/default/configmaps'
const merge = { 'content-type': 'application/merge-patch+json' }
const json = { 'content-type': 'application/json-patch+json' }
const strategic = { 'content-type': 'application/strategic-merge-patch+json' }
const apply = { 'content-type': 'application/apply-patch+yaml' }

const configMap = (name: string, more: string) =>
  `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"${name}"},${more}}`

/** By what they are; each sends what it takes to try the word in all of them. */
export const PLACES: Record<string, (send: Send, word: string) => Promise<void>> = {
  async 'selectors of labels and fields'(send, word) {
    const body = `{"metadata":{"name":"labelled","labels":{"${word}":"a"}}}`
    await send('POST', MAPS, { body })
    for (const text of [
      word,
      `!${word}`,
      `${word}=a`,
      `${word}!=a`,
      `${word} in (a)`,
      `a=${word}`,
    ]) {
      await send('GET', `${MAPS}?labelSelector=${encodeURIComponent(text)}`)
    }
    for (const text of [`${word}=a`, `metadata.name=${word}`, `metadata.${word}=a`]) {
      await send('GET', `${MAPS}?fieldSelector=${encodeURIComponent(text)}`)
      await send('GET', `/api/v1/pods?fieldSelector=${encodeURIComponent(text)}`)
    }
    await send('DELETE', `${MAPS}/labelled`)
  },

  async 'parameters of the query'(send, word) {
    const names = ['dryRun', 'fieldManager', 'fieldValidation', 'force', 'pretty', 'timeout']
    for (const name of [word, ...names]) {
      await send('POST', `${MAPS}?${name}=${word}`, { body: configMap('query', '"data":{}') })
      await send('DELETE', `${MAPS}/query?${name}=${word}`)
    }
    const lists = ['resourceVersion', 'resourceVersionMatch', 'continue', 'limit', 'watch']
    for (const name of [word, ...lists, 'timeoutSeconds', 'sendInitialEvents', 'includeObject']) {
      if (name !== 'watch') await send('GET', `${MAPS}?${name}=${word}`)
    }
    for (const name of ['propagationPolicy', 'orphanDependents', 'gracePeriodSeconds']) {
      await send('DELETE', `${MAPS}/query?${name}=${word}`)
    }
  },

  async 'every segment of a path, and the method'(send, word) {
    for (const path of [
      '',
      '/api',
      '/apis',
      '/api/v1',
      '/apis/apps',
      '/apis/apps/v1',
      '/openapi',
    ]) {
      await send('GET', `${path}/${word}`)
    }
    for (const path of ['/openapi/v3', '/openapi/v3/apis', '/healthz', '/readyz', '/metrics']) {
      await send('GET', `${path}/${word}`)
    }
    for (const path of [`/apis/${word}/v1`, `/apis/${word}/v1/pods`, `/api/${word}/pods`]) {
      await send('GET', path)
    }
    const core = '/api/v1/namespaces'
    for (const tail of [word, `${word}/pods`, `default/${word}`, `default/${word}/a`]) {
      await send('GET', `${core}/${tail}`)
    }
    for (const tail of [
      `pods/${word}`,
      `pods/a/${word}`,
      `pods/a/proxy/${word}`,
      `pods/a/${word}/b`,
    ]) {
      for (const method of ['GET', 'POST', 'PUT', 'DELETE'])
        await send(method, `${core}/default/${tail}`)
    }
    await send('GET', `/api/v1/watch/${word}`)
    await send(word, MAPS)
    await send(word, '/version')
  },

  async headers(send, word) {
    const table = 'application/json;as=Table;g=meta.k8s.io;v=v1'
    const accepts = [
      word,
      `application/${word}`,
      `application/json;${word}=1`,
      `${table};${word}=a`,
    ]
    for (const accept of [...accepts, `application/json;as=${word};g=${word};v=${word}`]) {
      await send('GET', MAPS, { headers: { accept } })
    }
    for (const name of ['accept-encoding', 'user-agent', 'authorization', 'x-remote-user', word]) {
      await send('GET', MAPS, { headers: { [name]: word } })
    }
    await send('GET', MAPS, { headers: { authorization: `Bearer ${word}` } })
    for (const type of [word, `application/${word}`, `application/json;${word}=${word}`]) {
      await send('POST', MAPS, { body: '{}', headers: { 'content-type': type } })
      await send('PATCH', `${MAPS}/a`, { body: '{}', headers: { 'content-type': type } })
    }
  },

  async 'who is impersonated'(send, word) {
    const whoami = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
    for (const name of ['impersonate-group', 'impersonate-uid', `impersonate-extra-${word}`]) {
      const headers = { 'impersonate-user': word, [name]: word }
      await send('POST', whoami, { headers, body: '{}' })
      await send('GET', MAPS, { headers })
    }
  },

  async 'names, groups and extras of a user'(send, word) {
    const extra = Object.fromEntries([[word, [word]]])
    const user = { ...ADMIN, username: word, groups: [...ADMIN.groups, word], extra }
    await send('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { user, body: '{}' })
    await send('POST', MAPS, { user: { username: word, groups: [word], extra }, body: '{}' })
  },

  async 'rights that are given and asked for'(send, word) {
    const rbac = '/apis/rbac.authorization.k8s.io/v1'
    const rules = [{ apiGroups: [word], resources: [word], verbs: [word], resourceNames: [word] }]
    const name = word
    await send('POST', `${rbac}/clusterroles`, { body: text({ metadata: { name }, rules }) })
    const subjects = [{ kind: 'User', name: word, apiGroup: 'rbac.authorization.k8s.io' }]
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name }
    const bindings = `${rbac}/clusterrolebindings`
    await send('POST', bindings, { body: text({ metadata: { name }, subjects, roleRef }) })
    const asked = { group: word, resource: word, verb: word, name: word, namespace: word }
    for (const user of [word, 'nobody']) {
      const spec = { user, groups: [word], resourceAttributes: asked, extra: { [word]: [word] } }
      await send('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
        body: text({ spec }),
      })
    }
  },

  async 'kinds, versions and unknown fields of a body'(send, word) {
    for (const body of [
      `{"kind":"${word}"}`,
      `{"apiVersion":"${word}"}`,
      `{"apiVersion":"${word}/${word}","kind":"${word}"}`,
      `{"${word}":1,"metadata":{"name":"a","${word}":{"${word}":[]}}}`,
      `{"metadata":{"name":"a"},"data":{"${word}":"1","${word}":"2"}}`,
    ]) {
      await send('POST', `${MAPS}?fieldValidation=Strict`, { body })
      await send('DELETE', `${MAPS}/nothing`, { body })
    }
    for (const body of [
      `${word}: 1\n${word}: 2`,
      `metadata: {name: a, ${word}: 1}`,
      `- ${word}`,
      word,
    ]) {
      await send('POST', MAPS, { body, headers: { 'content-type': 'application/yaml' } })
    }
  },

  async 'data that is written, patched, applied and read back'(send, word) {
    const path = `${MAPS}/data`
    await send('POST', MAPS, { body: configMap('data', `"data":{"${word}":"1"}`) })
    await send('GET', path)
    await send('GET', path, { headers: { accept: 'application/yaml' } })
    await send('PUT', path, { body: configMap('data', `"data":{"${word}":"2","a":"1"}`) })
    const patches: [Record<string, string>, string][] = [
      [merge, `{"data":{"${word}":null}}`],
      [merge, `{"data":{"${word}":"3"},"${word}":{"a":1}}`],
      [strategic, `{"data":{"${word}":null}}`],
      [strategic, `{"data":{"${word}":"4"},"$setElementOrder/${word}":[]}`],
      [strategic, `{"$deleteFromPrimitiveList/${word}":["a"],"metadata":{"$patch":"${word}"}}`],
      [strategic, `{"metadata":{"$retainKeys":["${word}"],"${word}":null}}`],
      [json, `[{"op":"replace","path":"/data/${word}","value":"5"}]`],
      [json, `[{"op":"test","path":"/data/${word}","value":"5"}]`],
      [json, `[{"op":"copy","from":"/data/${word}","path":"/data/b"}]`],
      [json, `[{"op":"move","from":"/data/${word}","path":"/data/c"}]`],
      [json, `[{"op":"add","path":"/data/${word}","value":"6"}]`],
      [json, `[{"op":"remove","path":"/data/${word}"}]`],
      [json, `[{"op":"remove","path":"/data/${word}"}]`],
      [json, `[{"op":"${word}","path":"/data/${word}"}]`],
      [json, `[{"op":"add","path":"/${word}/a","value":"6","${word}":1}]`],
    ]
    for (const [headers, body] of patches) await send('PATCH', path, { headers, body })
    for (const manager of ['one', 'two']) {
      const target = `${path}?fieldManager=${manager}&force=true`
      for (const data of [`"${word}":"${manager}"`, '"a":"2"', `"${word}":"7","b":"1"`]) {
        const body = configMap('data', `"data":{${data}}`)
        await send('PATCH', target, { headers: apply, body })
      }
    }
    await send('PATCH', `${path}?fieldManager=${word}`, {
      headers: apply,
      body: configMap('data', `"${word}":1`),
    })
    await send('GET', path)
    await send('DELETE', path)
  },
}
