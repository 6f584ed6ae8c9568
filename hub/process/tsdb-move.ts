/** `heliograph-hub tsdb import` and `export`: samples from and to other systems. */
import process from 'node:process'
import { UsageError } from '../../agent/cli/mod.ts'
import { runtimeSha256 } from '../../agent/env/sha256.ts'
import { parseDuration } from '../../protocol/durations/mod.ts'
import type { Env } from '../../protocol/env/mod.ts'
import { encodeWriteRequest, snappyCompress } from '../../protocol/remote-write/mod.ts'
import type { BlockMeta } from '../block/mod.ts'
import {
  dateOf,
  dump,
  exportPrometheus,
  importOpenMetrics,
  importPrometheus,
  importPrometheusHead,
  looksLikePrometheus,
  type OpenMetricsReport,
  openOwnBlocks,
  type StoredData,
  scanPrometheus,
} from '../interchange/mod.ts'
import type { TimeRange } from '../tsdb/mod.ts'
import {
  blockEnv,
  type Call,
  CommandError,
  choice,
  locked,
  print,
  rangeOf,
  stored,
  tellLeftOut,
  zstd,
} from './tsdb-call.ts'

const HOUR_MS = 3_600_000
/** Clocks are not as far apart as that. */
const FUTURE_MS = 24 * HOUR_MS
const FAMILIES_PER_WRITE = 1000
const DEFAULT_RETENTION_MS = 15 * 24 * HOUR_MS

export async function importCommand(call: Call): Promise<number> {
  const { env, dataPath, get, positional, progress } = call
  const source = positional[0]!.replace(/\/+$/, '') || '/'
  const stat = env.disk.stat(source)
  if (!stat) throw new CommandError(`there is no ${source}`)
  const format =
    choice(call, 'format', ['', 'prometheus', 'openmetrics']) || (stat.isDirectory ? 'prometheus' : 'openmetrics')
  env.disk.makeDirectory(dataPath)
  if (format === 'openmetrics') return importText(call, source)
  return locked(call, async () => {
    const own = openOwnBlocks(blockEnv(env), env.log, dataPath)
    if (!stat.isDirectory || !looksLikePrometheus(env.disk, source))
      throw new CommandError(`${source} is no data directory of Prometheus: it has neither blocks nor a chunks_head`)
    const { blocks, headBytes } = scanPrometheus(env.disk, source)
    const { imported, known, empty } = importPrometheus(own, blocks, progress)
    const head =
      headBytes > 0 && get('blocks-only') !== 'true' ? importPrometheusHead(own, zstd, source, progress) : null
    const samples = imported.reduce((sum, { stats }) => sum + stats.samples, 0)
    const more = [
      known.length > 0 ? `; ${known.length} were imported before` : '',
      empty.length > 0 ? `; ${empty.length} were empty` : '',
      head === null ? '' : head.isKnown ? '; its head was imported before' : `, and ${head.samples} of its head`,
    ]
    await print(`imported ${samples} samples of ${imported.length} blocks${more.join('')}\n`)
    if (head === null && headBytes > 0)
      process.stderr.write('heliograph-hub: warning: the samples in the head of the Prometheus were left out\n')
    warnOfRetention(env, [...imported, ...(head?.imported ?? [])])
    return 0
  })
}

async function importText(call: Call, file: string): Promise<number> {
  const { env, dataPath, progress } = call
  const { imported, samples, duplicates, newestTime, families, exemplarsLeftOut, isKnown } = await locked(
    call,
    async () => {
      const own = openOwnBlocks(blockEnv(env), env.log, dataPath)
      return importOpenMetrics({ own, hasher: runtimeSha256, file, progress })
    },
  )
  if (isKnown) {
    await print(`${file} was imported before: nothing to do\n`)
    return 0
  }
  if (families.size > 0) await stored(call, ({ ingest }) => storeFamilies(ingest, families))
  const more = [
    duplicates > 0 ? `; ${duplicates} samples at times that had a value were left out` : '',
    exemplarsLeftOut > 0 ? `; ${exemplarsLeftOut} exemplars were left out` : '',
  ]
  await print(`imported ${samples} samples into ${imported.length} blocks${more.join('')}\n`)
  warnOfRetention(env, imported)
  if (newestTime > env.clock.now() + FUTURE_MS) warnOfFuture(newestTime)
  return 0
}

/** Into the head, which is where metadata is kept. */
async function storeFamilies(ingest: StoredData['ingest'], families: OpenMetricsReport['families']): Promise<void> {
  const all = [...families].map(([family, metadata]) => ({ family, metadata }))
  for (let at = 0; at < all.length; at += FAMILIES_PER_WRITE) {
    const body = snappyCompress(encodeWriteRequest([], all.slice(at, at + FAMILIES_PER_WRITE)))
    const { status, message } = await ingest.remoteWrite(body)
    if (status !== 204) throw new CommandError(`the samples are imported, and not the metadata: ${message}`)
  }
}

function warnOfRetention(env: Env, imported: readonly BlockMeta[]): void {
  const old = imported.filter(({ maxTime }) => maxTime < env.clock.now() - DEFAULT_RETENTION_MS).length
  if (old > 0)
    process.stderr.write(
      `heliograph-hub: warning: ${old} blocks are older than 15 days, and a hub removes them when it starts, unless its --storage.tsdb.retention.time says more\n`,
    )
}

/** A file of milliseconds is taken as it stands, for nothing in it says so. */
function warnOfFuture(newestTime: number): void {
  process.stderr.write(
    `heliograph-hub: warning: the newest sample is of ${dateOf(newestTime)}, in the future: timestamps of OpenMetrics are seconds; samples of a wrong time can be deleted (POST /api/v1/admin/tsdb/delete_series)\n`,
  )
}

export async function exportCommand(call: Call): Promise<number> {
  const { env, get, positional, progress, selectors } = call
  const target = positional[0]!
  const range = rangeOf(call)
  if (choice(call, 'format', ['prometheus', 'openmetrics']) === 'openmetrics')
    return exportOpenMetrics(call, target, range)
  let blockMs: number
  try {
    blockMs = parseDuration(get('max-block-duration'))
  } catch (error) {
    throw new UsageError(`--max-block-duration: ${(error as Error).message}`)
  }
  if (blockMs <= 0 || blockMs % (2 * HOUR_MS) !== 0)
    throw new UsageError('--max-block-duration: must be a multiple of 2h')
  if (selectors.length > 1) throw new UsageError('--match: an export to Prometheus takes one selector')
  if (env.disk.stat(target) && env.disk.readDirectory(target).length > 0)
    throw new CommandError(
      `${target} is not empty: name a new directory, and move its blocks into Prometheus's data directory afterwards`,
    )
  return stored(call, async ({ reader }) => {
    env.disk.makeDirectory(target)
    const metas = exportPrometheus({
      disk: env.disk,
      random: env.random,
      nowMs: env.clock.now(),
      reader,
      matchers: selectors[0] ?? [],
      range,
      directory: target.replace(/\/+$/, '') || '/',
      blockMs,
      progress,
    })
    const samples = metas.reduce((sum, { stats }) => sum + stats.numSamples, 0)
    await print(`exported ${samples} samples into ${metas.length} blocks in ${target}\n`)
    return 0
  })
}

function exportOpenMetrics(call: Call, target: string, range: TimeRange): Promise<number> {
  const { env, selectors } = call
  return stored(call, async ({ reader }) => {
    if (target === '-') {
      const { leftOut } = await dump({ reader, selectors, range, format: 'openmetrics', write: print })
      tellLeftOut(leftOut)
      return 0
    }
    const temporary = `${target}.tmp`
    const file = env.disk.open(temporary, 'w')
    const encoder = new TextEncoder()
    try {
      const { samples, leftOut } = await dump({
        reader,
        selectors,
        range,
        format: 'openmetrics',
        write: (part) => file.write(encoder.encode(part)),
      })
      file.datasync()
      env.disk.rename(temporary, target)
      await print(`exported ${samples} samples to ${target}\n`)
      tellLeftOut(leftOut)
      return 0
    } finally {
      file.close()
      if (env.disk.stat(temporary)) env.disk.unlink(temporary)
    }
  })
}
