/** What the runtime information says of retention is what was asked for, in upstream's words. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeRetention, retentionLimits } from './kept.ts'

const DAY = 86_400_000
const GIB = 2 ** 30

function loadedWith(more: object, downsampling: readonly object[] = []): Parameters<typeof describeRetention>[1] {
  const storage = { retentionTimeMs: null, retentionSizeBytes: null, ...more }
  return { retention: [], prometheus: { storage, hub: { downsampling } } } as never
}
const flags = (retentionTimeMs: number | null, retentionSizeBytes: number | null) => ({
  retentionTimeMs,
  retentionSizeBytes,
})

const ROWS: readonly [string, ReturnType<typeof flags>, ReturnType<typeof loadedWith>][] = [
  ['15d', flags(null, null), loadedWith({})],
  ['4w', flags(28 * DAY, null), loadedWith({ retentionTimeMs: DAY })],
  ['90d or 1GiB512MiB', flags(90 * DAY, 1.5 * GIB), loadedWith({})],
  ['512MiB', flags(null, null), loadedWith({ retentionSizeBytes: GIB / 2 })],
  ['15d', flags(null, null), loadedWith({}, [{ resolutionMs: 300_000, keepMs: 365 * DAY }])],
]

for (const [text, settings, loaded] of ROWS)
  test(`retention is told as ${text}`, () => assert.equal(describeRetention(settings, loaded), text))

test('what is kept of downsampled windows counts for the blocks, and is not what was asked for of samples', () => {
  const [, settings, loaded] = ROWS.at(-1)!
  assert.equal(retentionLimits(settings, loaded).timeMs, 365 * DAY)
})
