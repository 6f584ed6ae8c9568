import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setStaleAt } from '../samples/mod.ts'
import { decodeBatch, isTargetEnd, type Scrape } from './mod.ts'
import { newEncoder, seriesLabels, zstd } from './testing/arbitraries.ts'

/** Values by position; `stale` is the marker. */
function scrapeOf(values: readonly (number | 'stale')[], more: Partial<Scrape> = {}): Scrape {
  const out = new Float64Array(values.length)
  const words = new Uint32Array(out.buffer)
  values.forEach((value, i) => {
    if (value === 'stale') setStaleAt(words, i)
    else out[i] = value
  })
  return {
    target: 't',
    slotMs: 1000,
    intervalMs: 1000,
    timestampMs: 1000,
    ids: Uint32Array.from(values, (_, i) => i),
    values: out,
    timestamps: null,
    startTimestamps: null,
    histograms: null,
    exemplars: null,
    ...more,
  }
}

const rows: readonly (readonly [what: string, scrape: Scrape, isEnd: boolean])[] = [
  ['markers alone', scrapeOf(['stale', 'stale', 'stale']), true],
  ['no sample at all, since other targets go on with all series', scrapeOf([]), true],
  ['samples', scrapeOf([1, 2]), false],
  ['markers, then the report of a scrape that failed', scrapeOf(['stale', 'stale', 0]), false],
  ['a NaN that is no marker', scrapeOf([Number.NaN]), false],
  ['a histogram', scrapeOf(['stale'], { histograms: new Map() }), false],
]
for (const [what, scrape, isEnd] of rows)
  test(`${what} ${isEnd ? 'ends' : 'does not end'} a target, here and after a batch`, () => {
    assert.equal(isTargetEnd(scrape), isEnd)
    const encoder = newEncoder()
    for (let series = 0; series < 3; series++) encoder.define(seriesLabels(series), null)
    encoder.add(scrapeOf([1, 2, 3], { slotMs: 0, timestampMs: 0 }))
    encoder.add({ ...scrape, histograms: null })
    const { scrapes } = decodeBatch(encoder.seal()!.bytes, null, zstd)
    assert.deepEqual(scrapes.map(isTargetEnd), [false, isEnd || scrape.histograms !== null])
  })

test('a batch may hold nothing but the end of a target without samples', () => {
  const encoder = newEncoder()
  encoder.define(seriesLabels(0), null)
  encoder.add(scrapeOf([]))
  const { scrapes, header } = decodeBatch(encoder.seal()!.bytes, null, zstd)
  assert.deepEqual([scrapes.map(isTargetEnd), header.sampleCount], [[true], 0])
})
