// UDP has no end of connection: a client that goes on sending keeps the endpoint it once got, also
// when that is gone. Such flows are forgotten (kube-proxy's conntrack cleaner does the same). Pure.

import { ENDPOINT_MAP, type Ruleset } from './rules.ts'

/** Commands that forget the flows to endpoints which `after` no longer has. */
export function planStaleFlows(before: Ruleset, after: Ruleset): string[][] {
  const alive = udpEndpoints(after)
  const gone = [...udpEndpoints(before)].filter(([key]) => !alive.has(key))
  const started = [...udpServices(after)].filter((key) => !udpServices(before).has(key))
  return [
    ...gone.map(([, { address, port, endpoint }]) => [
      ...['conntrack', '-D', '-f', 'ipv4', '-p', 'udp'],
      ...(address === undefined ? [] : ['--orig-dst', address]),
      ...['--orig-port-dst', port, '--dst-nat', endpoint],
    ]),
    // Packets sent before the Service had an endpoint made flows that go nowhere.
    ...started.map((key) => {
      const [address, , port] = key.split(' . ')
      const to = ['--orig-dst', address!, '--orig-port-dst', port!]
      return ['conntrack', '-D', '-f', 'ipv4', '-p', 'udp', ...to]
    }),
  ]
}

type Flow = { address: string | undefined; port: string; endpoint: string }

function udpEndpoints(rules: Ruleset): Map<string, Flow> {
  const flows = new Map<string, Flow>()
  for (const [map, elements] of rules.elements) {
    if (!Object.values(ENDPOINT_MAP).some((name) => isCounted(map, name))) continue
    for (const [key, value] of elements) {
      const parts = key.split(' . ')
      const [protocol, port] = parts.slice(-3)
      if (protocol !== 'udp') continue
      const [endpoint] = value.split(' . ')
      const address = parts.length === 4 ? parts[0] : undefined
      flows.set(`${address} ${port} ${endpoint}`, { address, port: port!, endpoint: endpoint! })
    }
  }
  return flows
}

/** `endpoint12` is the map `endpoint` for twelve of them. */
function isCounted(map: string, name: string): boolean {
  return map.startsWith(name) && /^[0-9]+$/.test(map.slice(name.length))
}

function udpServices(rules: Ruleset): Set<string> {
  const keys = [...(rules.elements.get('service')?.keys() ?? [])]
  return new Set(keys.filter((key) => key.includes(' . udp . ')))
}
