import { expect, test } from 'bun:test'
import { exponentialBuckets, Metrics } from './metrics.ts'

const linesOf = async (metrics: Metrics) =>
  (await metrics.text()).text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))

test('counters, gauges and histograms are written as Prometheus reads them', async () => {
  const metrics = new Metrics()
  const total = metrics.counter({ name: 'a_total', help: 'A.', labels: ['verb', 'code'] })
  total.of('GET', '200').inc()
  total.of('GET', '200').inc(2)
  total.of('GET', '"\n').inc()
  const depth = metrics.gauge({ name: 'depth', help: 'D.' })
  depth.of().set(4)
  depth.of().inc(-1)
  const seconds = metrics.histogram({ name: 's', help: 'S.', labels: ['x'], buckets: [0.1, 1] })
  for (const value of [0.1, 0.2, 5]) seconds.of('y').observe(value)
  metrics.computed('gauge', { name: 'now', help: 'N.', labels: ['of'] }, () => [['p', 7]])
  expect(await linesOf(metrics)).toEqual([
    'a_total{verb="GET",code="200"} 3',
    'a_total{verb="GET",code="\\"\\n"} 1',
    'depth 3',
    's_bucket{x="y",le="0.1"} 1',
    's_bucket{x="y",le="1"} 2',
    's_bucket{x="y",le="+Inf"} 3',
    's_sum{x="y"} 5.3',
    's_count{x="y"} 3',
    'now{of="p"} 7',
  ])
  expect((await metrics.text()).text).toContain('# TYPE s histogram')
})

test('label values that somebody makes up fill no memory', async () => {
  const metrics = new Metrics()
  const total = metrics.counter({ name: 'a_total', help: 'A.', labels: ['path'] })
  for (let i = 0; i < 10_000; i++) total.of(`/${i}`).inc()
  const lines = await linesOf(metrics)
  expect(lines.length).toBe(8193)
  expect(lines.at(-1)).toBe('a_total{path="other"} 1808')
})

test('bounds grow by their factor', () => {
  expect(exponentialBuckets(1e-8, 10, 4)).toEqual([1e-8, 1e-7, 1e-6, 1e-5])
})
