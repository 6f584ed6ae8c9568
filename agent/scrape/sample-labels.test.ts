import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatLabels, type Labels, labelsFrom, labelsFromSorted } from '../../protocol/labels/mod.ts'
import { reportLabels, sampleLabels } from './sample-labels.ts'
import { httpSource, type ScrapeTargetInput, withTargetDefaults } from './target.ts'

const config = (rest: Partial<ScrapeTargetInput> = {}) =>
  withTargetDefaults({
    job: 'j',
    source: httpSource({ address: 'h:1' }),
    labels: labelsFrom({ instance: 'h:1', job: 'j' }),
    ...rest,
  })

/** Exposed labels keep their empty values until the target's are merged in. */
const exposed = (pairs: Record<string, string>): Labels =>
  labelsFromSorted(
    Object.entries({ __name__: 'm', ...pairs })
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flat(),
  )

const merges: readonly (readonly [what: string, honor: boolean, pairs: Record<string, string>, result: string])[] = [
  ['adds the target’s labels', false, { a: '1' }, '{__name__="m", a="1", instance="h:1", job="j"}'],
  ['renames what clashes', false, { job: 'x' }, '{__name__="m", exported_job="x", instance="h:1", job="j"}'],
  [
    'renames until nothing clashes',
    false,
    { job: 'x', exported_job: 'y' },
    '{__name__="m", exported_exported_job="x", exported_job="y", instance="h:1", job="j"}',
  ],
  ['keeps what the target says with honor_labels', true, { job: 'x' }, '{__name__="m", instance="h:1", job="x"}'],
  ['an exposed empty label wins with honor_labels', true, { job: '' }, '{__name__="m", instance="h:1"}'],
  ['an exposed empty label is nothing without it', false, { job: '' }, '{__name__="m", instance="h:1", job="j"}'],
  ['drops empty labels', false, { a: '' }, '{__name__="m", instance="h:1", job="j"}'],
]
for (const [what, honorLabels, pairs, result] of merges) {
  test(`sampleLabels() ${what}`, () => {
    assert.equal(formatLabels(sampleLabels(exposed(pairs), config({ honorLabels }))!), result)
  })
}

const LONG = 'x'.repeat(60)
const refusals: readonly (readonly [
  rest: Partial<ScrapeTargetInput>,
  pairs: Record<string, string>,
  message: string,
])[] = [
  [{ limits: { labels: 3 } }, { a: '1' }, 'label_limit exceeded (metric: m, number of labels: 4, limit: 3)'],
  [
    { limits: { labelNameLength: 10 } },
    { [LONG]: '1' },
    `label_name_length_limit exceeded (metric: m, label name: ${LONG.slice(0, 50)}, length: 60, limit: 10)`,
  ],
  [
    { limits: { labelValueLength: 10 } },
    { a: LONG },
    `label_value_length_limit exceeded (metric: m, label name: a, value: "${LONG.slice(0, 50)}", length: 60, limit: 10)`,
  ],
  [
    { nameValidation: 'legacy' },
    { 'a.b': '1' },
    'invalid metric name or label names: {__name__="m", "a.b"="1", instance="h:1", job="j"}',
  ],
  [{ metricRelabel: () => labelsFrom({ a: '1' }) }, {}, 'missing metric name (__name__ label)'],
]
for (const [rest, pairs, message] of refusals) {
  test(`sampleLabels() refuses: ${message.slice(0, 60)}`, () => {
    assert.throws(() => sampleLabels(exposed(pairs), config(rest)), { name: 'SampleLabelsError', message })
  })
}

test('sampleLabels() refuses a label that stands twice', () => {
  const twice = labelsFromSorted(['__name__', 'm', 'a', '1', 'a', '2'])
  assert.throws(() => sampleLabels(twice, config()), { message: 'label name "a" is not unique: invalid sample' })
})

test('sampleLabels() gives null for what metric relabelling drops', () => {
  assert.equal(sampleLabels(exposed({}), config({ metricRelabel: () => null })), null)
})

test('reportLabels() are the target’s', () => {
  assert.equal(formatLabels(reportLabels('up', config().labels)), '{__name__="up", instance="h:1", job="j"}')
})

test("a report has the labels of its target, less what upstream overwrites with the report's own", () => {
  const labels = reportLabels('up', labelsFrom({ exported_n: '2', job: 'j', n: '1', a: '1', exported_a: '2' }))
  assert.deepEqual(labels, labelsFrom({ __name__: 'up', a: '1', exported_a: '2', job: 'j', n: '1' }))
})
