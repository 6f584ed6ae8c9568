/**
 * How long does a checkpoint hold ingest, and how long is it from kill -9 to ready, with a million series?
 *
 *     node_modules/.bin/node bench/crash/recovery.bench.ts [--series N] [--scrapes N]
 *
 * One ingest engine on the real disk, fed with remote write requests of 2,000 samples. Rounds: replay from segments
 * alone; checkpoint in place, and beside ingest while requests come in; replay from the checkpoint and what the log
 * holds since. Columns: ms on the clock, ms of CPU (of all threads), which a shared machine disturbs less.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { ingestWorkerOptions } from '../../hub/env/ingest-worker.ts'
import { IngestEngine } from '../../hub/ingest/thread_mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { encodeWriteRequest, snappyCompress } from '../../protocol/remote-write/mod.ts'

const SERIES_PER_REQUEST = 2000
const INTERVAL_MS = 15_000

function body(request: number, timestampMs: number): Uint8Array {
  const series = Array.from({ length: SERIES_PER_REQUEST }, (_, i) => {
    const n = request * SERIES_PER_REQUEST + i
    return {
      labels: labelsFrom({
        __name__: `node_metric_${n % 500}_total`,
        instance: `host-${Math.floor(n / 1000)}:9100`,
        job: 'node',
        device: `sd${n % 7}`,
        cpu: String(n % 64),
        series: String(n),
      }),
      timestamps: [timestampMs],
      values: Float64Array.of(n + Math.floor(timestampMs / 1000)),
    }
  })
  return snappyCompress(encodeWriteRequest(series))
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { series: { type: 'string', default: '1000000' }, scrapes: { type: 'string', default: '8' } },
  })
  const requests = Math.ceil(Number(values.series) / SERIES_PER_REQUEST)
  const scrapes = Number(values.scrapes)
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-recovery-'))
  const startMs = Date.now() - scrapes * INTERVAL_MS
  const options = {
    ...ingestWorkerOptions({ directory, hub: 'bench', logLevel: 'warn', logFormat: 'logfmt' }),
    checkpointBytes: Number.POSITIVE_INFINITY,
    newSeries: Number.POSITIVE_INFINITY,
  }
  const scrape = (engine: IngestEngine, n: number): number => {
    let busyMs = 0
    for (let r = 0; r < requests; r++) {
      const bytes = body(r, startMs + n * INTERVAL_MS)
      const began = performance.now()
      const { status, message } = engine.acceptRemoteWrite(bytes)
      if (status !== 204) throw new Error(`refused: ${status} ${message}`)
      if (!engine.commit()) throw new Error('the disk is full')
      busyMs += performance.now() - began
    }
    return busyMs
  }
  try {
    let engine = await IngestEngine.open(options)
    for (let n = 0; n < scrapes; n++) row(`scrape ${n}: ingest`, scrape(engine, n))
    if (engine.counters.checkpoints > 0) throw new Error('BUG: a checkpoint came between')
    row('RSS, MiB', process.memoryUsage().rss / 2 ** 20)
    engine.close()
    engine = await timed('ready from segments alone', () => IngestEngine.open(options))
    await timed('checkpoint in place: all of it is a stall', async () => engine.checkpoint())
    await checkpointUnderLoad(engine, requests, startMs + scrapes * INTERVAL_MS)
    engine.close()
    for (const name of fs.readdirSync(`${directory}/wal`))
      if (name.startsWith('checkpoint')) row(`${name}, MiB`, fs.statSync(`${directory}/wal/${name}`).size / 2 ** 20)
    engine = await timed('ready from the checkpoint', () => IngestEngine.open(options))
    engine.close()
    row('RSS, MiB', process.memoryUsage().rss / 2 ** 20)
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

/** Requests go on while the checkpoint is made; the longest time between two answers is the stall. */
async function checkpointUnderLoad(engine: IngestEngine, requests: number, timestampMs: number): Promise<void> {
  const bodies = Array.from({ length: requests }, (_, r) => body(r, timestampMs))
  let isDone = false
  let longestMs = 0
  let sent = 0
  await timed('checkpoint beside ingest, with the requests meanwhile', async () => {
    const checkpoint = engine.checkpointAside().then(() => {
      isDone = true
    })
    let last = performance.now()
    while (!isDone || sent === 0) {
      if (sent < bodies.length) {
        engine.acceptRemoteWrite(bodies[sent++]!)
        engine.commit()
      }
      const now = performance.now()
      longestMs = Math.max(longestMs, now - last)
      last = now
      await new Promise((resolve) => setImmediate(resolve))
    }
    await checkpoint
  })
  row(`longest stall of ingest meanwhile (${sent} requests)`, longestMs)
}

async function timed<T>(what: string, fn: () => Promise<T>): Promise<T> {
  const began = performance.now()
  const cpu = process.cpuUsage()
  const result = await fn()
  const { user, system } = process.cpuUsage(cpu)
  row(what, performance.now() - began, (user + system) / 1000)
  return result
}

const row = (what: string, ...values: number[]): void =>
  console.log(what.padEnd(60) + values.map((value) => value.toFixed(0).padStart(9)).join(''))

await main()
process.exit(0)
