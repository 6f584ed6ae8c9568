/**
 * The same questions to the engine alone, in this process: no HTTP, no threads, no peers. For profiles:
 *
 *     node bench/query/in-process.ts [--hours 24] [--only TEXT] [--budget MS] [--head-only] [--profile DIRECTORY]
 *
 * The data are those of the bench, older than the last hours in blocks, as in a hub that has run for so long.
 */
import fs from 'node:fs'
import { Session } from 'node:inspector/promises'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { createLogger, nodeDisk, systemClock } from '../../agent/env/mod.ts'
import { runtimeZstd } from '../../agent/env/zstd.ts'
import { BlockSet, BlockStore, mergeReaders, planCuts } from '../../hub/block/mod.ts'
import { type QueryTask, runPart, type WorkerAnswer } from '../../hub/query/mod.ts'
import { SETTINGS } from '../../hub/query/testing/settings.ts'
import { createHead, openReader, type SeriesReader } from '../../hub/tsdb/mod.ts'
import { requests } from './data.ts'
import { type BenchQuery, benchQueries } from './queries.ts'

const BLOCK_MS = 7_200_000
const WARM_UP_RUNS = 3

async function main(): Promise<void> {
  const { values: flags } = parseArgs({
    options: {
      hours: { type: 'string', default: '24' },
      only: { type: 'string', default: '' },
      budget: { type: 'string', default: '500' },
      'head-only': { type: 'boolean', default: false },
      cold: { type: 'boolean', default: false },
      profile: { type: 'string' },
    },
  })
  const hours = Number(flags.hours)
  const endMs = Math.floor(Date.now() / 300_000) * 300_000 - 600_000
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-query-'))
  try {
    const open = load({
      startMs: endMs - hours * 3_600_000,
      endMs,
      directory,
      headOnly: flags['head-only'],
      cold: flags.cold,
    })
    const queries = benchQueries(endMs / 1000, hours).filter(({ name }) => name.includes(flags.only))
    const session = flags.profile === undefined ? null : new Session()
    for (const query of queries) {
      if (session !== null) await startProfile(session)
      measure(query, open, Number(flags.budget))
      if (session !== null)
        fs.writeFileSync(
          `${flags.profile}/${query.name.replaceAll(/\W+/g, '-')}.cpuprofile`,
          await stopProfile(session),
        )
    }
  } finally {
    fs.rmSync(directory, { recursive: true })
  }
}

async function startProfile(session: Session): Promise<void> {
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: 200 })
  await session.post('Profiler.start')
}

async function stopProfile(session: Session): Promise<string> {
  const { profile } = await session.post('Profiler.stop')
  session.disconnect()
  return JSON.stringify(profile)
}

type Span = { readonly startMs: number; readonly endMs: number }

function load({
  startMs,
  endMs,
  directory,
  headOnly,
  cold,
}: Span & { directory: string; headOnly: boolean; cold: boolean }): () => SeriesReader {
  const head = createHead({ maxBytes: 2 ** 31 })
  const began = performance.now()
  let samples = 0
  for (const parts of requests(1, startMs, endMs)) {
    for (const { labels, timestamps, values } of parts) {
      const ref = head.series(labels)
      const column = Float64Array.from(values)
      for (let i = 0; i < column.length; i++) head.appendFloat(ref, timestamps[i]!, column, i, 0)
      samples += column.length
    }
    head.publish()
  }
  const log = createLogger({ level: 'error', format: 'logfmt', now: systemClock.now })
  const env = { disk: nodeDisk, compressor: runtimeZstd }
  const store = BlockStore.open({ ...env, log, directory })
  if (!headOnly) {
    const reader = openReader(head.share())
    const ranges = planCuts(reader.timeRange(), endMs, BLOCK_MS / 2, BLOCK_MS)
    if (ranges.length > 0) head.closeBefore(ranges.at(-1)!.maxTime)
    for (const range of ranges) store.cut(reader, range)
    reader.release()
    head.evict()
    while (store.compact(0, BLOCK_MS) !== null);
  }
  const set = new BlockSet(env, {
    cacheBytes: 64 << 20,
    valueBytes: cold ? 0 : 64 << 20,
    onDamage: (error) => console.error(error),
  })
  const { paths } = store.share()
  console.log(
    `${(samples / 1e6).toFixed(1)} M samples, ${paths.length} blocks, ${((performance.now() - began) / 1000).toFixed(0)} s`,
  )
  return () => mergeReaders([openReader(head.share()), ...set.readers(paths)])
}

function taskOf({ path: where, params }: BenchQuery): QueryTask {
  const seconds = (name: string): number => Number(params[name]) * 1000
  if (where.endsWith('/query_range')) {
    const [startMs, endMs, stepMs] = [seconds('start'), seconds('end'), seconds('step')]
    return { kind: 'range', query: params['query']!, startMs, endMs, stepMs, limit: 0, settings: SETTINGS }
  }
  if (where.endsWith('/query'))
    return { kind: 'instant', query: params['query']!, timeMs: seconds('time'), limit: 0, settings: SETTINGS }
  if (where.endsWith('/series')) {
    const matches = [params['match[]']!]
    return { kind: 'series', matches, startMs: seconds('start'), endMs: seconds('end'), limit: 0 }
  }
  const ever = { startMs: Number.NEGATIVE_INFINITY, endMs: Number.POSITIVE_INFINITY }
  return { kind: 'values', label: 'pod', matches: [], ...ever, limit: 0 }
}

function measure(query: BenchQuery, open: () => SeriesReader, budgetMs: number): void {
  const task = taskOf(query)
  const flags = new Int32Array(new SharedArrayBuffer(64))
  const once = (): WorkerAnswer => {
    const reader = open()
    try {
      const part = { kind: 'whole' as const, threads: 1 }
      return runPart({ task, part, queuedMs: 0, before: null }, { reader, flags, now: () => performance.now() })
    } finally {
      reader.release()
    }
  }
  let bytes = 0
  for (let i = 0; i < WARM_UP_RUNS; i++) bytes = once().body.length
  const took: number[] = []
  const cpu = process.cpuUsage()
  const began = performance.now()
  while (took.length < 3 || performance.now() - began < budgetMs) {
    const started = performance.now()
    once()
    took.push(performance.now() - started)
  }
  const { user, system } = process.cpuUsage(cpu)
  const cpuMs = (user + system) / 1000 / took.length
  took.sort((a, b) => a - b)
  const median = took[took.length >>> 1]!
  console.log(
    `${query.name.padEnd(28)} ${median.toFixed(2).padStart(9)} ms ${cpuMs.toFixed(2).padStart(9)} CPU ${String(took.length).padStart(6)} runs ${bytes} bytes`,
  )
}

await main()
