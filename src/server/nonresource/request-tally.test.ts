import { expect, test } from 'bun:test'
import { RequestTally } from './request-tally.ts'

const labels = (verb: string) => () => ({ verb })

test('requests are counted by code, and their times in cumulative buckets', () => {
  const tally = new RequestTally([0.1, 1], { verb: 'other' })
  tally.note('get', labels('GET'), 200, 0.1)
  tally.note('get', labels('GET'), 200, 0.5)
  tally.note('get', labels('GET'), 404, 7)
  tally.note('watch', labels('WATCH'), 200, undefined)
  expect(tally.counts()).toEqual([
    { labels: { verb: 'GET', code: '200' }, value: 2 },
    { labels: { verb: 'GET', code: '404' }, value: 1 },
    { labels: { verb: 'WATCH', code: '200' }, value: 1 },
  ])
  expect(tally.durations('d')).toEqual([
    { metricName: 'd_bucket', labels: { verb: 'GET', le: '0.1' }, value: 1 },
    { metricName: 'd_bucket', labels: { verb: 'GET', le: '1' }, value: 2 },
    { metricName: 'd_bucket', labels: { verb: 'GET', le: '+Inf' }, value: 3 },
    { metricName: 'd_sum', labels: { verb: 'GET' }, value: 7.6 },
    { metricName: 'd_count', labels: { verb: 'GET' }, value: 3 },
  ])
})

test('whoever makes up paths does not fill the memory', () => {
  const tally = new RequestTally([1], { verb: 'other' })
  for (let i = 0; i < 5000; i++) tally.note(`verb ${i}`, labels(`${i}`), 404, 0)
  expect(tally.counts()).toHaveLength(4097)
  expect(tally.counts().at(-1)).toEqual({ labels: { verb: 'other', code: '404' }, value: 904 })
})
