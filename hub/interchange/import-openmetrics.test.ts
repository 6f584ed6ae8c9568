/** OpenMetrics text becomes blocks; what is wrong with it is named with its line, and leaves nothing behind. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runtimeSha256 } from '../../agent/env/sha256.ts'
import { memoryEnv } from '../block/testing/samples.ts'
import { exportPrometheus, importOpenMetrics, OpenMetricsImportError, type OpenMetricsReport } from './mod.ts'
import type { OwnBlocks } from './own-blocks.ts'
import { openOwn, ownBlocks, silent, stored } from './testing/own-blocks.ts'

const FILE = '/data/in.om'

function importText(own: OwnBlocks, text: string): OpenMetricsReport {
  own.env.disk.writeFileAtomic(FILE, text)
  return importOpenMetrics({ own, hasher: runtimeSha256, file: FILE, progress: silent })
}

function bigText(samples: number): string {
  const lines = Array.from(
    { length: samples },
    (_, i) => `m{series="${i % 37}"} ${i} ${1_700_000_000 + Math.floor(i / 37) * 15}`,
  )
  return `# TYPE m gauge\n${lines.join('\n')}\n# EOF\n`
}

test('OpenMetrics text that is larger than memory becomes blocks piece by piece', () => {
  const env = memoryEnv()
  const own = ownBlocks(env)
  // Three windows, and four heads.
  const text = bigText(100_000)
  env.disk.writeFileAtomic('/data/in.om', text)
  assert.ok(text.length > 3 << 20)
  const options = { own, hasher: runtimeSha256, file: '/data/in.om', progress: silent }
  const report = importOpenMetrics({ ...options, maxSamples: 30_000 })
  assert.deepEqual([report.samples, report.duplicates, report.isKnown], [100_000, 0, false])
  assert.equal(
    own.list().reduce((sum, { stats }) => sum + stats.samples, 0),
    100_000,
  )
  assert.equal(importOpenMetrics(options).isKnown, true)
})

test('a bad line late in a large text takes back what was written before it', () => {
  const env = memoryEnv()
  const own = ownBlocks(env)
  env.disk.writeFileAtomic('/data/in.om', bigText(60_000).replace('# EOF\n', 'm{series="x" 1 1\n# EOF\n'))
  const options = { own, hasher: runtimeSha256, file: '/data/in.om', progress: silent, maxSamples: 20_000 }
  assert.throws(
    () => importOpenMetrics(options),
    (error) => error instanceof OpenMetricsImportError && /in\.om:60002: /.test(error.message),
  )
  assert.deepEqual(own.list(), [])
})

const LONG = 'v'.repeat(20_000)
const WRONG: readonly [what: string, lines: readonly string[], line: number, why: RegExp][] = [
  ['no timestamp', ['# TYPE x gauge', 'x 1 1', 'x 2'], 3, /expected timestamp for series x, got none/],
  ['a timestamp beyond all numbers', ['x 1 1', '# HELP x y', 'x 2 1e300'], 3, /the timestamp of x cannot be/],
  ['no name', ['x 1 1', '{a="b"} 2 1'], 2, /metric name not set/],
  ['a label that is too long', ['x 1 1', `x{l="${LONG}"} 1 1`], 2, /exceeds the limit label_value_length of a hub/],
]

for (const [what, lines, line, why] of WRONG)
  test(`a line with ${what} is named, and nothing is imported`, () => {
    const own = ownBlocks(memoryEnv())
    assert.throws(
      () => importText(own, `${lines.join('\n')}\n# EOF\n`),
      (error) =>
        error instanceof OpenMetricsImportError && why.test(error.message) && error.message.includes(`in.om:${line}: `),
    )
    assert.deepEqual(own.list(), [])
  })

test('what the text says of families is told, and exemplars that are left out are counted', () => {
  const own = ownBlocks(memoryEnv())
  const { families, exemplarsLeftOut } = importText(
    own,
    '# TYPE a counter\n# HELP a Of \\"a\\".\na_total 1 1 # {id="x"} 1 1\n# TYPE b_seconds gauge\n# UNIT b_seconds seconds\n# EOF\n',
  )
  assert.deepEqual(
    [...families],
    [
      ['a', { type: 'counter', help: 'Of "a".', unit: '' }],
      ['b_seconds', { type: 'gauge', help: '', unit: 'seconds' }],
    ],
  )
  assert.equal(exemplarsLeftOut, 1)
})

test('a sample with a time that is ages away costs a block, in and out, and not the ages between', () => {
  const env = memoryEnv()
  const own = ownBlocks(env)
  // The second is in milliseconds, by mistake.
  const report = importText(own, 'x 1 1700000000\nx 2 1700000015000\nx 3 1700000030\n# EOF\n')
  assert.equal(report.samples, 3)
  assert.equal(report.newestTime, 1_700_000_015_000_000)
  assert.equal(report.imported.length, 2)
  env.disk.makeDirectory('/out')
  const reader = openOwn(own)
  const range = { minTime: Number.NEGATIVE_INFINITY, maxTime: Number.POSITIVE_INFINITY }
  const random = { bytes: (n: number) => new Uint8Array(n), float: () => 0.5 } as never
  const where = { disk: env.disk, directory: '/out', random, nowMs: 0 }
  const metas = exportPrometheus({ ...where, reader, matchers: [], range, blockMs: 7_200_000, progress: silent })
  assert.deepEqual(
    metas.map(({ minTime, stats }) => [minTime, stats.numSamples]),
    [
      [1_700_000_000_000, 2],
      [1_700_000_015_000_000, 1],
    ],
  )
  assert.equal([...stored(own).values()].flat().length, 3)
})
