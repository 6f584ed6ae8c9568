/**
 * Sets what is damaged aside and writes the rest anew. Nothing is deleted: a damaged block is kept as `<id>.damaged`,
 * damaged ranges of the log are copied to `wal/quarantine/` by the replay, which every start does.
 */

import { formatLabels, type Labels } from '../../protocol/labels/mod.ts'
import {
  type BlockDamagedError,
  BlockIndex,
  type BlockMeta,
  decodeIndex,
  openBlock,
  RunCache,
  writeBlock,
} from '../block/mod.ts'
import { createSampleBuffer } from '../tsdb/mod.ts'
import { newSequence, type OpenedBlocks } from './own-blocks.ts'

export type LostRun = {
  readonly file: string
  readonly offset: number
  readonly why: string
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
  readonly keptAs: string
  readonly runs: readonly LostRun[]
  readonly samplesLost: number
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
    if (errors.length === 0) return null
    rest = writeBlock(env, directory, block, {
      range: { minTime: meta.minTime, maxTime: meta.maxTime },
      sequence: newSequence(own),
      level: meta.level,
      sources: [...meta.sources, meta.id],
      deletes: meta.deletes ?? 0,
      ...(meta.expired && { expired: meta.expired }),
    })
    const index = new BlockIndex(decodeIndex(env.disk.readFile(`${path}/index`), path, env.compressor))
    const runs = errors.map((error) => describe(path, error, index, (ref) => block.labels(ref)))
    const keptAs = `${path}.damaged`
    if (env.disk.stat(keptAs)) env.disk.removeDirectory(keptAs, { recursive: true })
    env.disk.rename(path, keptAs)
    env.disk.syncDirectory(directory)
    const samplesLost = meta.stats.samples - (rest?.stats.samples ?? 0)
    return { id: meta.id, newId: rest?.id ?? null, keptAs, runs, samplesLost }
  } finally {
    block.close()
  }
}

const RUN = /run at byte (\d+)/

function describe(
  path: string,
  error: BlockDamagedError,
  index: BlockIndex,
  labelsOf: (ref: number) => Labels,
): LostRun {
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
