/**
 * How many bytes does a sample cost on the wire, and how fast is the batch codec?
 *
 *     node_modules/.bin/node bench/protocol/batch.bench.ts [folder of saved scrapes, *.txt in order]
 *
 * Data: a folder of saved /metrics texts; else 41 scrapes, 1 s apart, of a real node exporter where one is unpacked
 * (HELIO_NODE_EXPORTER or /tmp/peers); else a seeded generator. A run of 20 scrapes stands for 5 minutes at 15 s.
 * All included: header, zstd, signature. Each row: bytes per sample of batches that stand on the keyframe alone, the
 * median and spread over seven rounds of the speeds.
 */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { runtimeSigner, runtimeVerifier } from '../../agent/env/ed25519.ts'
import { runtimeSha256 } from '../../agent/env/sha256.ts'
import { runtimeZstd } from '../../agent/env/zstd.ts'
import { BatchEncoder, decodeBatch, type Keyframe, type Scrape, verifyBatch } from '../../protocol/batch/mod.ts'
import { crc32c } from '../../protocol/crc/mod.ts'
import { encodeSeed } from '../../protocol/identity/mod.ts'
import { type Labels, labelsFrom } from '../../protocol/labels/mod.ts'

const PEER = '/tmp/peers/prometheus-node-exporter-1.11.1-3/usr/bin/prometheus-node-exporter'
const SCRAPE_COUNT = 41
const ROUNDS = 7
const INTERVAL_MS = 15_000

/** One scrape as read: values by index of `labels`, undefined where the series was absent. */
type Recording = { readonly labels: readonly Labels[]; readonly rows: readonly ReadonlyMap<number, number>[] }

const signer = runtimeSigner(encodeSeed(new Uint8Array(32).fill(1)))
const verifier = runtimeVerifier()

async function main(folder: string | undefined): Promise<void> {
  const exporter = process.env['HELIO_NODE_EXPORTER'] ?? PEER
  const recording = folder
    ? record(saved(folder))
    : existsSync(exporter)
      ? record(await scrapeReal(exporter))
      : generate(800)
  const source = folder ?? (existsSync(exporter) ? 'node exporter, 1 s apart' : 'seeded generator')
  console.log(`Data: ${source}; ${recording.rows.length} scrapes of ${recording.labels.length} series`)
  console.log(`CRC32C: ${crcSpeed().toFixed(2)} GB/s\n`)
  console.log('scrapes/batch  samples  bytes/sample (keyframe amortised over 64)  encode M/s  decode M/s  verify us')
  for (const perBatch of [1, 4, 8, 20]) report(recording, perBatch)
}

function report(recording: Recording, perBatch: number): void {
  const batches = Math.floor((recording.rows.length - 1) / perBatch)
  const run = encodeAll(recording, perBatch, batches)
  checkAnswer(run)
  const samples = run.sealed.reduce((sum, { header }) => sum + header.sampleCount, 0)
  const bytes = run.sealed.reduce((sum, batch) => sum + batch.bytes.length, 0)
  const perSample = bytes / samples
  const amortised = perSample + run.keyframeBytes / 64 / (samples / batches)
  const encodeSpeeds: number[] = []
  const decodeSpeeds: number[] = []
  const verifyMicros: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    encodeSpeeds.push(samples / 1e6 / encodeAll(recording, perBatch, batches).seconds)
    decodeSpeeds.push(decodeSpeed(run))
    verifyMicros.push(verifyTime(run))
  }
  console.log(
    `${String(perBatch).padStart(13)}  ${String(Math.round(samples / batches)).padStart(7)}  ` +
      `${perSample.toFixed(3)} (${amortised.toFixed(3)})`.padEnd(43) +
      `${spread(encodeSpeeds)}  ${spread(decodeSpeeds)}  ${spread(verifyMicros)}`,
  )
}

type Run = {
  readonly keyframe: Keyframe
  readonly keyframeBytes: number
  readonly sealed: readonly { readonly header: { readonly sampleCount: number }; readonly bytes: Uint8Array }[]
  readonly scrapes: readonly Scrape[]
  readonly seconds: number
}

/** The first scrape is the keyframe; then `batches` batches. Times seal() alone, signature and zstd included. */
function encodeAll(recording: Recording, perBatch: number, batches: number): Run {
  const encoder = new BatchEncoder({
    agent: 'bench-host-1a2b3c',
    epoch: 1_700_000_000_000,
    signer,
    hasher: runtimeSha256,
    compressor: runtimeZstd,
    keyframeEvery: Number.MAX_SAFE_INTEGER,
    keyframeGrowth: Number.MAX_SAFE_INTEGER,
  })
  const ids = recording.labels.map((labels) => encoder.define(labels, null))
  encoder.add(scrapeOf(recording, ids, 0))
  const first = encoder.seal()!
  const sealed: Run['sealed'][number][] = []
  const scrapes: Scrape[] = []
  let seconds = 0
  for (let b = 0; b < batches; b++) {
    for (let i = 0; i < perBatch; i++) {
      const scrape = scrapeOf(recording, ids, 1 + b * perBatch + i)
      scrapes.push(scrape)
      encoder.add(scrape)
    }
    const start = performance.now()
    sealed.push(encoder.seal()!)
    seconds += (performance.now() - start) / 1000
  }
  const { keyframe } = decodeBatch(first.bytes, null, runtimeZstd)
  return { keyframe: keyframe!, keyframeBytes: first.bytes.length, sealed, scrapes, seconds }
}

function scrapeOf(recording: Recording, ids: readonly number[], index: number): Scrape {
  const row = [...recording.rows[index]!].sort(([a], [b]) => ids[a]! - ids[b]!)
  const slotMs = 1_700_000_010_000 + index * INTERVAL_MS
  return {
    target: 'node',
    slotMs,
    intervalMs: INTERVAL_MS,
    timestampMs: slotMs,
    ids: Uint32Array.from(row, ([series]) => ids[series]!),
    values: Float64Array.from(row, ([, value]) => value),
    timestamps: null,
    startTimestamps: null,
    histograms: null,
    exemplars: null,
  }
}

function checkAnswer(run: Run): void {
  const decoded = run.sealed.flatMap(({ bytes }) => decodeBatch(bytes, run.keyframe, runtimeZstd).scrapes)
  for (const [i, scrape] of run.scrapes.entries()) {
    const same =
      Buffer.from(scrape.ids).equals(Buffer.from(decoded[i]!.ids)) &&
      new BigUint64Array(scrape.values.buffer as ArrayBuffer).every(
        (bits, at) => bits === new BigUint64Array(decoded[i]!.values.slice().buffer)[at],
      )
    if (!same) throw new Error(`BUG: scrape ${i} came back changed`)
  }
}

/** Millions of samples per second: inflate and decode. */
function decodeSpeed(run: Run): number {
  const repeats = 20
  let samples = 0
  let sink = 0
  const start = performance.now()
  for (let i = 0; i < repeats; i++)
    for (const { bytes } of run.sealed) {
      const batch = decodeBatch(bytes, run.keyframe, runtimeZstd)
      samples += batch.header.sampleCount
      sink += batch.scrapes[0]!.values[0]!
    }
  const seconds = (performance.now() - start) / 1000
  if (sink === Number.NEGATIVE_INFINITY) console.log(sink)
  return samples / 1e6 / seconds
}

/** Microseconds to verify one batch. */
function verifyTime(run: Run): number {
  const start = performance.now()
  for (const { bytes } of run.sealed) verifyBatch(bytes, signer.publicKey, verifier)
  return ((performance.now() - start) * 1000) / run.sealed.length
}

function crcSpeed(): number {
  const bytes = Uint8Array.from({ length: 1 << 20 }, (_, i) => i * 31)
  let sink = 0
  for (let i = 0; i < 50; i++) sink ^= crc32c(bytes)
  const start = performance.now()
  for (let i = 0; i < 200; i++) sink ^= crc32c(bytes)
  const seconds = (performance.now() - start) / 1000
  if (sink === 1) console.log(sink)
  return (200 * bytes.length) / 1e9 / seconds
}

function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (i: number): string => sorted[i]!.toFixed(1)
  return `${at(sorted.length >> 1)} [${at(0)}-${at(sorted.length - 1)}]`.padEnd(18)
}

function saved(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.txt'))
  return names.sort().map((name) => readFileSync(join(folder, name), 'utf8'))
}

async function scrapeReal(path: string): Promise<string[]> {
  const child = spawn(path, ['--web.listen-address=127.0.0.1:0'], { stdio: ['ignore', 'ignore', 'pipe'] })
  try {
    const url = await listenUrl(child.stderr)
    const texts: string[] = []
    for (let i = 0; i < SCRAPE_COUNT; i++) {
      texts.push(await (await fetch(url)).text())
      await sleep(1000)
    }
    return texts
  } finally {
    child.kill()
  }
}

/** The port that port 0 became is in the exporter's log; which is read to the end, or the exporter would die of it. */
function listenUrl(log: Readable): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    log.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-65_536)
      const address = /address=(127\.0\.0\.1:\d+)/.exec(text)?.[1]
      if (address) resolve(`http://${address}/metrics`)
    })
    log.on('end', () => reject(new Error(`Cannot start the node exporter: ${text}`)))
  })
}

/** Sample lines only; enough for a bench, no exposition parser. */
function record(texts: readonly string[]): Recording {
  const indices = new Map<string, number>()
  const labels: Labels[] = []
  const rows = texts.map((text) => {
    const row = new Map<number, number>()
    for (const line of text.split('\n')) {
      if (line === '' || line.startsWith('#')) continue
      const space = line.lastIndexOf(' ')
      const name = line.slice(0, space)
      let index = indices.get(name)
      if (index === undefined) {
        index = indices.size
        indices.set(name, index)
        labels.push(labelsOf(name))
      }
      row.set(index, Number(line.slice(space + 1).replace('Inf', 'Infinity')))
    }
    return row
  })
  return { labels, rows }
}

function labelsOf(text: string): Labels {
  const brace = text.indexOf('{')
  const pairs: [string, string][] = [['__name__', brace < 0 ? text : text.slice(0, brace)]]
  for (const [, name, value] of text.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)) pairs.push([name!, value!])
  return labelsFrom([...pairs, ['instance', 'bench:9100'], ['job', 'node']])
}

/** Shares as seen on a real host: 70 % constant, counters, two-decimal CPU seconds, kB gauges, ns durations. */
function generate(seriesCount: number): Recording {
  const random = mulberry32(42)
  const labels = Array.from({ length: seriesCount }, (_, i) =>
    labelsFrom({ __name__: `node_generated_${i % 90}`, device: `dev${i}`, instance: 'bench:9100', job: 'node' }),
  )
  const values = labels.map(() => Math.floor(random() * 1e6))
  const rows = Array.from({ length: SCRAPE_COUNT }, () => {
    for (let i = 0; i < seriesCount; i++) {
      const kind = i % 100
      if (kind < 70) continue
      if (kind < 84) values[i]! += Math.floor(random() * 1000)
      else if (kind < 91) values[i] = Math.round(values[i]! * 100 + random() * 1500) / 100
      else if (kind < 96) values[i] = Math.floor(values[i]! / 4096 + random() * 100) * 4096
      else values[i] = Math.round(random() * 1e6) / 1e9
    }
    return new Map(values.map((value, i) => [i, value] as const))
  })
  return { labels, rows }
}

function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

await main(process.argv[2])
