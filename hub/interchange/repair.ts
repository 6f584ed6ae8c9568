/**
 * Sets what is damaged aside and writes the rest anew. Nothing is deleted of which a part is lost: such a block is kept
 * as `<id>.damaged`, damaged ranges of the log are copied to `wal/quarantine/` by the replay, which every start does.
 */

import { formatLabels, type Labels } from '../../protocol/labels/mod.ts'
import {
  type BlockDamagedError,
  BlockIndex,
  type BlockMeta,
  countRows,
  decodeIndex,
  openBlock,
  RunCache,
  sameTiers,
  UNFINISHED,
  writeBlock,
} from '../block/mod.ts'
import { createSampleBuffer } from '../tsdb/mod.ts'
import { newSequence, type OpenedBlocks } from './own-blocks.ts'

export type LostRun = {
  readonly file: string
  readonly offset: number
  readonly why: string
  /** In a word: some samples, downsampled windows, or nothing. */
  readonly effect: 'are samples' | 'are downsampled windows' | 'is nothing'
  /** What stood in it: series, number of samples, first and last time. */
  readonly lost: readonly {
    readonly labels: string
    readonly samples: number
    readonly minTime: number
    readonly maxTime: number
  }[]
}

export type RepairedBlock = {
  readonly id: string
  /** Null: not one sample of it can be read. */
  readonly newId: string | null
  /** Null: nothing of it was lost, and it is gone. */
  readonly keptAs: string | null
  readonly runs: readonly LostRun[]
  readonly samplesLost: number
  readonly windowsLost: number
}

const CACHE_BYTES = 16 << 20
const EVER = { minTime: Number.NEGATIVE_INFINITY, maxTime: Number.POSITIVE_INFINITY }

/** Null when every run of the block is sound. @throws BlockDamagedError when index or meta are not, DiskError */
export function repairBlock(own: OpenedBlocks, meta: BlockMeta): RepairedBlock | null {
  const { env, directory } = own
  const path = `${directory}/${meta.id}`
  const errors: BlockDamagedError[] = []
  const block = openBlock(env, path, { cache: new RunCache(CACHE_BYTES), onDamage: (error) => void errors.push(error) })
  let rest: BlockMeta | null
  try {
    const samples = createSampleBuffer(1024)
    for (const ref of block.select([], EVER)) block.read(ref, EVER, samples)
    countRows(block)
    if (errors.length === 0) return null
    const tiers = sameTiers(meta)
    rest = writeBlock(env, directory, block, {
      range: { minTime: meta.minTime, maxTime: meta.maxTime },
      sequence: newSequence(own),
      level: meta.level,
      sources: [...meta.sources, meta.id],
      deletes: meta.deletes ?? 0,
      ...(meta.expired && { expired: meta.expired }),
      ...(tiers && { tiers }),
    })
    const index = new BlockIndex(decodeIndex(env.disk.readFile(`${path}/index`), path, env.compressor))
    const samplesLost = meta.stats.samples - (rest?.stats.samples ?? 0)
    // Windows of samples that are there were made anew from these.
    const windowsLost = Math.max(0, rowsOf(meta) - rowsOf(rest))
    const without = windowsLost > 0 ? 'are downsampled windows' : 'is nothing'
    const runs = errors.map((error) => {
      const found = describe(path, error, index, (ref) => block.labels(ref))
      const effect = found.lost.length > 0 ? 'are samples' : error.cost === 'nothing' ? 'is nothing' : without
      return { ...found, effect } as const
    })
    // What is set aside counts as missing in every answer about its time.
    const isLossless = errors.every(({ cost }) => cost === 'nothing')
    const keptAs = isLossless ? null : `${path}.damaged`
    const aside = keptAs ?? `${path}${UNFINISHED}`
    if (env.disk.stat(aside)) env.disk.removeDirectory(aside, { recursive: true })
    env.disk.rename(path, aside)
    env.disk.syncDirectory(directory)
    if (isLossless) env.disk.removeDirectory(aside, { recursive: true })
    return { id: meta.id, newId: rest?.id ?? null, keptAs, runs, samplesLost, windowsLost }
  } finally {
    block.close()
  }
}

function rowsOf(meta: BlockMeta | null): number {
  return (meta?.tiers ?? []).reduce((sum, { rows }) => sum + rows, 0)
}

const RUN = /run at byte (\d+)/

function describe(
  path: string,
  error: BlockDamagedError,
  index: BlockIndex,
  labelsOf: (ref: number) => Labels,
): Omit<LostRun, 'effect'> {
  const offset = Number(RUN.exec(error.piece)?.[1] ?? 0)
  const { chunks, times, runs, timeRuns } = index
  const run = runs.offsets.indexOf(offset)
  const timeRun = timeRuns.offsets.indexOf(offset)
  const lost: { labels: string; samples: number; minTime: number; maxTime: number }[] = []
  for (let ref = 0; ref < index.seriesCount; ref++) {
    let samples = 0
    let minTime = Number.POSITIVE_INFINITY
    let maxTime = Number.NEGATIVE_INFINITY
    for (let chunk = chunks.first[ref]!; chunk < chunks.first[ref + 1]!; chunk++) {
      const column = chunks.column[chunk]!
      const isIn = run >= 0 ? chunks.run[chunk] === run : times.run[column] === timeRun
      if (!isIn) continue
      samples += chunks.samples[chunk]!
      minTime = Math.min(minTime, times.firstTime[column]!)
      maxTime = Math.max(maxTime, times.lastTime[column]!)
    }
    if (samples > 0) lost.push({ labels: formatLabels(labelsOf(ref)), samples, minTime, maxTime })
  }
  return { file: `${path}/chunks`, offset, why: error.why, lost }
}
