/** Counter resets, row by row. Rows as of Prometheus model/histogram/float_histogram_test.go (v3), -DetectReset. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Fields, histogram, type Side } from '../testing/histogram-rows.ts'
import { detectReset } from './resets.ts'

const BASE: Fields = {
  zero: [0.01, 5.5],
  count: 3493.3,
  sum: 2349209.324,
  up: '-2:2 1:3 = 1 1.23 3.3 4.2 0.1',
  down: '3:2 3:2 = 3.1 3 1.234e5 1000',
}
const FINE: Fields = {
  ...BASE,
  schema: 1,
  up: '-5:4 2:6 = 0.4 0.6 1 0.23 2 1.3 1.2 3 0.05 0.05',
  down: '5:4 6:4 = 2 1.1 2 1 0.234e5 1e5 500 500',
}
const GAP: Fields = {
  ...BASE,
  up: '-2:1 2:3 = 1 3.3 4.2 0.1',
}
const EMPTY: Fields = {
  ...BASE,
  up: '-2:2 1:3 = 1 0 3.3 4.2 0.1',
}
const OWN: Fields = {
  count: 3493.3,
  sum: 2349209.324,
  bounds: [1, 2, 3, 4],
  up: '0:2 1:3 = 1 1.23 3.3 4.2 0.1',
}
const OWN_GAP: Fields = {
  ...OWN,
  up: '0:1 2:3 = 1 3.3 4.2 0.1',
}
const OWN_EMPTY: Fields = {
  ...OWN,
  up: '0:2 1:3 = 1 0 3.3 4.2 0.1',
}
const own = (count: number, bounds: readonly number[], up: Side): Fields => ({ count, sum: 5 * count, bounds, up })

const resets: readonly [name: string, previous: Fields, current: Fields, isReset: boolean][] = [
  ['nothing, twice', {}, {}, false],
  ['buckets appear', {}, GAP, false],
  ['all buckets disappear', GAP, {}, true],
  ['one bucket appears', GAP, BASE, false],
  ['one bucket disappears', BASE, GAP, true],
  ['an empty bucket disappears', EMPTY, GAP, false],
  [
    'an empty bucket at the end disappears',
    {
      ...BASE,
      up: '-2:1 1:3 = 1 3.3 4.2 0',
    },
    {
      ...BASE,
      up: '-2:1 1:2 = 1 3.3 4.2',
    },
    false,
  ],
  ['an empty bucket disappears, which was all', { up: '23:1 = 0' }, {}, false],
  ['the zero count goes up', EMPTY, { ...EMPTY, zero: [0.01, 5.6] }, false],
  ['the zero count goes down', EMPTY, { ...EMPTY, zero: [0.01, 5.4] }, true],
  ['the count goes up', EMPTY, { ...EMPTY, count: 3493.4 }, false],
  ['the count goes down', EMPTY, { ...EMPTY, count: 3493.2 }, true],
  ['the sum goes up', EMPTY, { ...EMPTY, sum: 2349210 }, false],
  ['the sum goes down', EMPTY, { ...EMPTY, sum: 2349200 }, false],
  ['a positive bucket goes up', EMPTY, { ...EMPTY, up: '-2:2 1:3 = 1 0 3.3 4.3 0.1' }, false],
  ['a positive bucket goes down', EMPTY, { ...EMPTY, up: '-2:2 1:3 = 1 0 3.3 4.1 0.1' }, true],
  ['a negative bucket goes up', EMPTY, { ...EMPTY, down: '3:2 3:2 = 3.1 3.1 1.234e5 1000' }, false],
  ['a negative bucket goes down', EMPTY, { ...EMPTY, down: '3:2 3:2 = 3.1 2.9 1.234e5 1000' }, true],
  ['the zero threshold decreases', BASE, { ...BASE, zero: [0.009, 5.5] }, true],
  ['the zero threshold increases before all buckets', BASE, { ...BASE, zero: [0.011, 5.5] }, false],
  ['the zero threshold increases over buckets', BASE, { ...BASE, zero: [1, 7.73], up: '1:3 = 3.3 4.2 0.1' }, false],
  ['the zero threshold increases into a bucket', BASE, { ...BASE, zero: [0.3, 5.5] }, true],
  ['the schema increases', BASE, FINE, true],
  ['the schema decreases', FINE, BASE, false],
  ['the schema decreases, a bucket goes up', FINE, { ...BASE, up: '-2:2 1:3 = 1 1.23 4.3 4.2 0.1' }, false],
  ['the schema decreases, a bucket goes down', FINE, { ...BASE, up: '-2:2 1:3 = 1 1.23 2.3 4.2 0.1' }, true],
  ['custom: buckets appear', { bounds: [1, 2, 3, 4] }, OWN, false],
  ['custom: all buckets disappear', OWN, { bounds: [1, 2, 3, 4] }, true],
  ['custom: one bucket appears', OWN_GAP, OWN, false],
  ['custom: one bucket disappears', OWN, OWN_GAP, true],
  ['custom: an empty bucket disappears', OWN_EMPTY, OWN_GAP, false],
  ['custom: a bucket goes up', OWN_EMPTY, { ...OWN_EMPTY, up: '0:2 1:3 = 1 0 3.3 4.3 0.1' }, false],
  ['custom: a bucket goes down', OWN_EMPTY, { ...OWN_EMPTY, up: '0:2 1:3 = 1 0 3.3 4.1 0.1' }, true],
  [
    'custom: one more bound, all buckets up',
    own(200, [0, 1, 2, 3], '0:4 = 20 35 40 50'),
    own(200, [0, 0.5, 1, 2, 3], '0:5 = 25 15 40 50 70'),
    false,
  ],
  [
    'custom: one more bound, a bucket in the middle down',
    own(100, [0, 1, 3, 5], '0:4 = 10 15 20 25'),
    own(100, [0, 1, 2, 3, 5], '0:5 = 10 16 10 5 25'),
    true,
  ],
  [
    'custom: one more bound, the last bucket down',
    own(100, [0, 1, 2], '0:3 = 10 20 20'),
    own(100, [0, 1, 2, 3], '0:4 = 10 20 8 7'),
    true,
  ],
  ['custom: no bound in common', own(100, [4, 5, 6], '0:3 = 10 20 30'), own(100, [1, 2, 3], '0:3 = 15 25 35'), false],
  [
    'custom: some bounds in common',
    own(200, [0, 1, 3, 5], '0:4 = 10 20 30 40'),
    own(200, [0, 2, 3, 4, 5], '0:5 = 15 25 70 50 100'),
    false,
  ],
  [
    'custom: other bounds and spans, a bucket down',
    own(200, [0, 1, 2, 3, 4, 5], '0:2 1:3 = 10 20 30 40 50'),
    own(200, [0, 1, 3, 4, 5, 7], '0:3 1:2 = 15 25 35 25 60'),
    true,
  ],
  [
    'custom: other bounds and spans, all buckets up',
    own(300, [0, 1, 2, 3, 4, 5, 6], '0:2 2:3 = 10 20 30 40 50'),
    own(300, [0, 0.5, 1, 3, 5, 7], '0:3 1:2 = 12 25 45 75 95'),
    false,
  ],
]
for (const [name, previous, current, isReset] of resets)
  test(`${isReset ? 'a' : 'no'} reset: ${name}`, () =>
    assert.equal(detectReset(histogram(current), histogram(previous)), isReset))
