/**
 * A data directory of Prometheus into blocks of the hub, block by block: each is written whole or not at all, and names
 * the one it was made of, so that an import that was interrupted goes on where it stopped and one that is repeated does
 * nothing. Memory: the index of one block, and one series.
 */
import { type BlockMeta, writeBlockInSlices } from '../block/mod.ts'
import { newSequence, type OwnBlocks } from './own-blocks.ts'
import type { Progress } from './progress.ts'
import { openPrometheusBlock } from './prometheus-block.ts'
import type { FoundBlock } from './prometheus-directory.ts'
import { steps } from './steps.ts'

export type ImportReport = {
  readonly imported: readonly BlockMeta[]
  /** Had been imported before. */
  readonly known: readonly string[]
  /** Nothing was left in it. */
  readonly empty: readonly string[]
}

/** What `BlockMeta.sources` says of a block that came from Prometheus. */
const sourceName = (ulid: string): string => `prometheus:${ulid}`

/** @throws TsdbFormatError naming file and byte of what is damaged, BlockDamagedError, DiskError */
export function importPrometheus(own: OwnBlocks, blocks: readonly FoundBlock[], progress: Progress): ImportReport {
  const known: string[] = []
  const empty: string[] = []
  const imported: BlockMeta[] = []
  const have = new Set(own.list().flatMap(({ sources }) => sources))
  for (const { path, meta } of blocks) {
    if (have.has(sourceName(meta.ulid))) {
      known.push(meta.ulid)
      continue
    }
    const block = openPrometheusBlock(own.env.disk, path)
    try {
      progress.begin(`importing ${meta.ulid}`, block.seriesCount)
      const slices = writeBlockInSlices(own.env, own.directory, block, {
        range: { minTime: meta.minTime, maxTime: meta.maxTime },
        sequence: newSequence(own),
        level: 1,
        sources: [sourceName(meta.ulid)],
        deletes: own.deletes,
      })
      const written = steps(slices, () => progress.advance(64))
      if (written) imported.push(written)
      else empty.push(meta.ulid)
    } finally {
      progress.end()
      block.close()
    }
  }
  return { imported, known, empty }
}
