/**
 * Does compaction hold up ingest? A hub cuts and merges blocks every few seconds while remote writes come in at a
 * steady rate; printed is how long acknowledgements took, of those that fell into a cut or merge and of the others.
 *
 * Run: node_modules/.bin/node bench/hub/compaction.bench.ts [series=50000] [seconds=120]
 */
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { encodeWriteRequest, snappyCompress } from '../../protocol/remote-write/mod.ts'
import { withWorld } from '../e2e/world.ts'

const seriesCount = Number(process.argv[2] ?? 50_000)
const seconds = Number(process.argv[3] ?? 120)
const PER_REQUEST = 2000
const POLL_MS = 250

type Ack = { readonly fromMs: number; readonly toMs: number }

const labels = Array.from({ length: seriesCount }, (_, i) =>
  labelsFrom({ __name__: `metric_${i % 500}`, instance: `host-${Math.floor(i / 500)}`, job: 'bench' }),
)

function body(from: number, timeMs: number): Uint8Array<ArrayBuffer> {
  const part = labels.slice(from, from + PER_REQUEST).map((each, i) => ({
    labels: each,
    timestamps: [timeMs],
    values: Float64Array.of(Math.floor((timeMs / 1000) * (1 + (i % 7)))),
  }))
  return snappyCompress(encodeWriteRequest(part)) as Uint8Array<ArrayBuffer>
}

function print(what: string, acks: readonly Ack[]): void {
  const took = acks.map(({ fromMs, toMs }) => toMs - fromMs).sort((a, b) => a - b)
  const at = (q: number): string => (took[Math.min(took.length - 1, Math.floor(q * took.length))] ?? 0).toFixed(1)
  console.log(`${what.padEnd(44)} ${took.length} acks, p50 ${at(0.5)} p99 ${at(0.99)} longest ${at(1)} ms`)
}

await withWorld(async (world) => {
  const flags = ['--web.enable-remote-write-receiver', '--storage.tsdb.min-block-duration=20s']
  const hub = await world.startHub({ flags })
  const value = (text: string, name: string): number =>
    Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1] ?? Number.NaN)
  const acks: Ack[] = []
  /** Stretches in which a cut or merge ended, as wide as it took. */
  const busy: Ack[] = []
  let last = { count: 0, sum: 0 }
  let isOver = false
  const polls = (async () => {
    while (!isOver) {
      const text = await (await fetch(`${hub.url}/metrics`)).text()
      const now = performance.now()
      const count = value(text, 'prometheus_tsdb_compaction_duration_seconds_count')
      const sum = value(text, 'prometheus_tsdb_compaction_duration_seconds_sum')
      if (count > last.count) busy.push({ fromMs: now - (sum - last.sum) * 1000 - 2 * POLL_MS, toMs: now })
      last = { count, sum }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  })()
  const end = performance.now() + seconds * 1000
  while (performance.now() < end) {
    const startedMs = performance.now()
    const timeMs = Date.now()
    for (let from = 0; from < seriesCount; from += PER_REQUEST) {
      const bytes = body(from, timeMs)
      const fromMs = performance.now()
      const response = await fetch(`${hub.url}/api/v1/write`, { method: 'POST', body: bytes })
      if (response.status !== 204) throw new Error(`status ${response.status}: ${await response.text()}`)
      acks.push({ fromMs, toMs: performance.now() })
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, startedMs + 1000 - performance.now())))
  }
  isOver = true
  await polls
  const text = await (await fetch(`${hub.url}/metrics`)).text()
  const isDuring = (ack: Ack): boolean => busy.some(({ fromMs, toMs }) => ack.fromMs <= toMs && ack.toMs >= fromMs)
  console.log(
    `${seriesCount} series a second, or as fast as it goes, ${seconds} s; ${last.count} cuts and merges, ${last.sum.toFixed(1)} s of work, ${value(text, 'prometheus_tsdb_compactions_failed_total')} failed`,
  )
  print('acknowledgements during a cut or merge', acks.filter(isDuring))
  print(
    'the others',
    acks.filter((ack) => !isDuring(ack)),
  )
  console.log(
    `longest group commit of the log ${(1000 * value(text, 'heliograph_wal_commit_longest_seconds')).toFixed(1)} ms`,
  )
})
