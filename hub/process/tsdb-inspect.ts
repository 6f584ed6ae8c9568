/** `heliograph-hub tsdb list`, `verify`, `analyze`, `dump` and `repair`: what is stored, and whether it is sound. */
import { UsageError } from '../../agent/cli/mod.ts'
import { runtimeZstd } from '../../agent/env/zstd.ts'
import { formatGoDuration } from '../../protocol/durations/mod.ts'
import type { BlockMeta } from '../block/mod.ts'
import { analyze, dateOf, dump, repairBlock, verifyData, verifyLog } from '../interchange/mod.ts'
import {
  type Call,
  CommandError,
  choice,
  locked,
  needDirectory,
  print,
  rangeOf,
  stored,
  storedForRepair,
  tellLeftOut,
} from './tsdb-call.ts'

export async function list(call: Call): Promise<number> {
  const { env, dataPath, get } = call
  needDirectory(env, dataPath)
  const folder = `${dataPath}/blocks`
  const human = get('human-readable') === 'true'
  const names = env.disk.stat(folder)
    ? env.disk.readDirectory(folder).filter((name) => /^-?\d+--?\d+-\d+$/.test(name))
    : []
  const rows: (readonly string[])[] = [
    ['BLOCK', 'MIN TIME', 'MAX TIME', 'DURATION', 'NUM SAMPLES', 'NUM CHUNKS', 'NUM SERIES', 'SIZE'],
  ]
  for (const name of names) {
    let meta: BlockMeta
    try {
      meta = JSON.parse(env.disk.readText(`${folder}/${name}/meta.json`)) as BlockMeta
    } catch (error) {
      rows.push([name, `unreadable: ${(error as Error).message}`])
      continue
    }
    const bytes = meta.indexBytes + meta.chunksBytes
    const time = (ms: number): string => (human ? dateOf(ms) : String(ms))
    const { samples, chunks, series } = meta.stats
    const size = human ? `${(bytes / 1024).toFixed(1)}KiB` : String(bytes)
    rows.push([
      meta.id,
      time(meta.minTime),
      time(meta.maxTime),
      formatGoDuration(meta.maxTime - meta.minTime),
      String(samples),
      String(chunks),
      String(series),
      size,
    ])
  }
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  await print(
    rows
      .map(
        (row) =>
          `${row
            .map((cell, i) => cell.padEnd(widths[i]!))
            .join('  ')
            .trimEnd()}\n`,
      )
      .join(''),
  )
  return 0
}

export function verify(call: Call): Promise<number> {
  const { env, dataPath, progress } = call
  return locked(call, async () => {
    const { findings, files, sizeBytes } = verifyData(env.disk, runtimeZstd, dataPath, progress)
    const damaged = findings.filter(({ isDamage }) => isDamage)
    for (const { file, offset, what, isDamage } of findings)
      await print(`${file}:${offset}: ${isDamage ? '' : 'no damage: '}${what}\n`)
    await print(
      `${files} files, ${sizeBytes} bytes: ${damaged.length === 0 ? 'all checksums match' : `${damaged.length} damaged pieces; see tsdb repair`}\n`,
    )
    return damaged.length === 0 ? 0 : 1
  })
}

export function analyzeCommand(call: Call): Promise<number> {
  const { get, positional, selectors } = call
  const limit = Number(get('limit'))
  if (!Number.isInteger(limit) || limit < 1)
    throw new UsageError(`--limit: must be a number from 1 on, got "${get('limit')}"`)
  if (selectors.length > 1) throw new UsageError('--match: analyze takes one selector')
  return stored(call, async ({ reader, blocks }) => {
    const [wanted] = positional
    const matchers = selectors[0] ?? []
    if (wanted === undefined) {
      const range = reader.timeRange()
      if (!range) throw new CommandError('nothing is stored')
      await print(
        analyze({
          reader,
          matchers,
          range,
          limit,
          title: `All blocks (${blocks.list().length}) and the head`,
          sizeBytes: null,
        }),
      )
      return 0
    }
    const block = blocks.list().find(({ id }) => id === wanted)
    if (!block) throw new CommandError(`there is no block "${wanted}"; see tsdb list`)
    const range = { minTime: block.minTime, maxTime: block.maxTime - 1 }
    const sizeBytes = matchers.length === 0 ? block.indexBytes + block.chunksBytes : null
    await print(analyze({ reader, matchers, range, limit, title: `Block ID: ${block.id}`, sizeBytes }))
    return 0
  })
}

export function dumpCommand(call: Call): Promise<number> {
  const format = choice(call, 'format', ['promtool', 'openmetrics'])
  const range = rangeOf(call)
  return stored(call, async ({ reader }) => {
    const { leftOut } = await dump({ reader, selectors: call.selectors, range, format, write: print })
    tellLeftOut(leftOut)
    return 0
  })
}

export async function repair(call: Call): Promise<number> {
  return storedForRepair(call, async ({ ingest, blocks, damagedBlocks }) => {
    let pieces = 0
    for (const { file, fromByte, toByte, what, quarantine, isHarmless } of ingest.replay.damages) {
      pieces++
      const cost = isHarmless ? 'nothing is lost' : `${toByte - fromByte} bytes of the log are lost`
      await print(`${file}:${fromByte}: ${what}: ${cost}${quarantine ? `, kept as ${quarantine}` : ''}\n`)
    }
    const isMet = new Set(ingest.replay.damages.map(({ file }) => file))
    const log = verifyLog(call.env.disk, call.dataPath, call.progress)
    for (const { file, offset, what } of log.filter((each) => each.isDamage && !isMet.has(each.file))) {
      pieces++
      await print(`${file}:${offset}: ${what}: newer files stand in for it, nothing is lost\n`)
    }
    if (ingest.replay.tornBytes > 0)
      await print(`the torn tail of the log (${ingest.replay.tornBytes} bytes, never acknowledged) is cut off\n`)
    // What was read is written anew, and for both generations that are kept: neither has damage that is met again.
    if (pieces > 0) for (let generation = 0; generation < 2; generation++) await ingest.checkpoint()
    const { tombstones } = blocks
    if (tombstones.isDamaged) {
      pieces++
      await print(
        `${tombstones.path}: the list of deletions is damaged: what was deleted and not cleaned up is back; kept as ${tombstones.path}.damaged\n`,
      )
    }
    for (const { block, piece, why, cost } of damagedBlocks) {
      // What a block has lost by it is told of where it is written anew.
      if (cost === 'piece') continue
      pieces++
      const effect = cost === 'nothing' ? 'nothing is lost' : `the whole block is lost, kept as ${block}.damaged`
      await print(`${blocks.directory}/${block}: ${piece}: ${why}: ${effect}\n`)
    }
    for (const meta of [...blocks.list()]) {
      const repaired = repairBlock(blocks, meta)
      if (!repaired) continue
      for (const { file, offset, why, effect, lost } of repaired.runs) {
        pieces++
        await print(`${file}:${offset}: ${why}: lost ${effect}\n`)
        for (const { labels, samples, minTime, maxTime } of lost)
          await print(`  ${labels}: ${samples} samples from ${dateOf(minTime)} to ${dateOf(maxTime)}\n`)
      }
      const kept = repaired.keptAs === null ? '' : `, the damaged block is kept as ${repaired.keptAs}`
      const windows = repaired.windowsLost > 0 ? `and ${repaired.windowsLost} downsampled windows ` : ''
      await print(
        `${repaired.id}: ${repaired.samplesLost} of ${meta.stats.samples} samples ${windows}are lost; the rest is ${repaired.newId ?? 'nothing'}${kept}\n`,
      )
    }
    await print(pieces === 0 ? 'nothing is damaged\n' : `${pieces} damaged pieces set aside\n`)
    return 0
  })
}
