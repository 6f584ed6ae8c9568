/** A month of old samples is imported, compacted with downsampling, and asked for over 30 days: before its samples go and after. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { api, ROOT, type Server, until, withWorld } from './world.ts'

const H = 3_600_000
const DAYS = 32
const STEP_MS = 60_000
const SERIES = 4

type Block = {
  readonly maxTime: number
  readonly minTime: number
  readonly stats: { readonly numSamples: number; readonly numBytes: number }
  readonly downsampled?: readonly { readonly widthMs: number; readonly rows: number }[]
}

async function blocksOf(hub: Server): Promise<readonly Block[]> {
  return ((await api(hub, '/api/v1/status/tsdb/blocks', {})) as unknown as { data: { blocks: Block[] } }).data.blocks
}

/** Counters that start anew now and then, as OpenMetrics text. */
function writeText(file: string, endMs: number): void {
  const parts = ['# TYPE work counter\n']
  for (let i = 0; i < SERIES; i++) {
    let value = 0
    for (let time = endMs - DAYS * 24 * H, k = 0; time < endMs; time += STEP_MS, k++) {
      value = k % 5000 === 4999 ? 0 : value + ((k * 2_654_435_761 * (i + 7)) % 1009)
      parts.push(`work_total{i="${i}"} ${value} ${(time + 1234) / 1000}\n`)
    }
  }
  parts.push('# EOF\n')
  fs.writeFileSync(file, parts.join(''))
}

const WHOLE = [
  'rate',
  'increase',
  'avg_over_time',
  'max_over_time',
  'min_over_time',
  'count_over_time',
  'last_over_time',
]

test('30 days are answered the same once the samples of all but the last days are gone', () =>
  withWorld(async (world) => {
    const hub = await world.prepareHub({
      config: 'global: { scrape_interval: 1h }\nstorage: { tsdb: { retention: { time: 3d } } }\n',
      heliograph: 'downsampling:\n  - { resolution: 5m, keep: 20d }\n  - { resolution: 1h, keep: 1y }',
    })
    const endMs = 2 * H * Math.floor(Date.now() / (2 * H))
    const file = path.join(world.folder, 'work.om')
    writeText(file, endMs)
    await promisify(execFile)(process.execPath, [
      path.join(ROOT, 'hub/main.ts'),
      'tsdb',
      'import',
      `--storage.tsdb.path=${hub.dataFolder}`,
      file,
    ])
    await hub.restart()
    const ask = async (text: string): Promise<object> => {
      const times = { start: String(endMs / 1000 - 30 * 86_400), end: String(endMs / 1000), step: '3600' }
      const { data, infos } = (await api(hub, '/api/v1/query_range', { query: text, ...times })) as unknown as {
        data: object
        infos?: readonly string[]
      }
      return { data, infos }
    }
    const texts = WHOLE.map((name) => `${name}(work_total[1h])`).concat('sum(rate(work_total[2h]))')
    // Samples beyond their retention are seen until windows stand for them.
    const before = await Promise.all(texts.map(ask))
    const bytes = (all: readonly Block[]): number => all.reduce((sum, { stats }) => sum + stats.numBytes, 0)
    const whole = bytes(await blocksOf(hub))
    await until(
      'all old samples are gone',
      async () => {
        const old = (await blocksOf(hub)).filter(({ maxTime }) => maxTime < endMs - 4 * 24 * H)
        return (
          old.length > 0 && old.every(({ stats, downsampled }) => stats.numSamples === 0 && downsampled !== undefined)
        )
      },
      { timeoutMs: 150_000 },
    )
    for (const [i, text] of texts.entries()) assert.deepEqual(await ask(text), before[i], text)
    const left = bytes(await blocksOf(hub))
    assert.ok(left < whole, `${left} bytes of ${whole}`)
    const odd = (await ask('max_over_time(work_total[50m])')) as { infos: readonly string[] }
    assert.match(odd.infos[0]!, /downsampled data was used/)
  }))
