import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commonLabels, formatSeries, type LabelSet, seriesKey } from './labels.ts'

const ROWS: readonly (readonly [labels: LabelSet, text: string])[] = [
  [{}, '{}'],
  [{ __name__: 'up' }, 'up'],
  [{ __name__: 'up', job: 'node', a: '1' }, 'up{a="1", job="node"}'],
  [{ job: 'node' }, '{job="node"}'],
  [{ __name__: 'my metric', a: 'b' }, '{"my metric", a="b"}'],
  [{ 'my label': 'x' }, '{"my label"="x"}'],
  [{ a: 'say "hi"\\\n' }, '{a="say \\"hi\\"\\\\\\n"}'],
]
for (const [labels, text] of ROWS) test(`formatSeries() writes ${text}`, () => assert.equal(formatSeries(labels), text))

test('seriesKey() depends on names and values, not on their order or on where one ends', () => {
  assert.equal(seriesKey({ a: '1', b: '2' }), seriesKey({ b: '2', a: '1' }))
  assert.notEqual(seriesKey({ a: '1,b' }), seriesKey({ a: '1', b: '' }))
})

test('commonLabels() are those that all share, the name apart', () => {
  assert.deepEqual(
    commonLabels([
      { __name__: 'up', job: 'a', x: '1' },
      { __name__: 'up', job: 'a', x: '2' },
    ]),
    { job: 'a' },
  )
  assert.deepEqual(commonLabels([{ job: 'a' }]), {}, 'one series hides nothing')
})
