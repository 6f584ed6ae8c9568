/**
 * Writes a block from any reader. All files are complete and synced in a directory of a temporary name before it is
 * renamed, and the rename is synced: after any crash the block is whole, or not there.
 */
import { crc32c } from '../../protocol/crc/mod.ts'
import { compareStrings } from '../../protocol/labels/mod.ts'
import { createSampleBuffer, type SeriesReader } from '../tsdb/mod.ts'
import type { ChunkSizes } from './chunk-sizes.ts'
import { type ChunkEntry, ChunkWriter } from './chunk-writer.ts'
import {
  type BlockEnv,
  type BlockMeta,
  type BlockRange,
  CHUNKS_FILE,
  INDEX_FILE,
  META_COPY_FILE,
  META_FILE,
} from './contract.ts'
import type { Expiry } from './hiding.ts'
import { encodeIndex } from './index-format.ts'
import { IndexWriter } from './index-writer.ts'
import { encodeMeta } from './meta.ts'
import { RunBuilder, RunFileWriter } from './run-file.ts'
import { SeriesTiers } from './series-tiers.ts'

export type NewBlock = {
  readonly range: BlockRange
  readonly sequence: number
  readonly level: number
  readonly sources: readonly string[]
  readonly deletes?: number
  readonly expired?: readonly string[]
  /** Downsampled windows to write with the samples. */
  readonly tiers?: NewTiers
  /** Hears of every chunk. */
  readonly sizes?: ChunkSizes
}

export type NewTiers = {
  readonly widths: readonly number[]
  /** What goes of what the reader has: windows are made of all samples, and outlive them. */
  readonly expiry: Expiry
  /** See `BlockMeta`. */
  readonly goneBefore: number | undefined
}

/** Suffix of directories that are being written; `BlockStore.open` removes what a crash left of them. */
export const UNFINISHED = '.tmp'

/** Series between two looks at the clock of whoever runs the slices. */
const SERIES_PER_SLICE = 64

/**
 * The samples of the range as a block in `<directory>/<id>`; null, and nothing written, when there are none.
 * @throws DiskError
 * @example writeBlock(env, `${data}/blocks`, openReader(head.share()), { range, sequence: 1, level: 1, sources: [] })
 */
export function writeBlock(env: BlockEnv, directory: string, reader: SeriesReader, block: NewBlock): BlockMeta | null {
  const slices = writeBlockInSlices(env, directory, reader, block)
  for (;;) {
    const { done, value } = slices.next()
    if (done) return value
  }
}

/** As `writeBlock`, a little at each `next()`. The reader must stay open until it is done. */
export function* writeBlockInSlices(
  env: BlockEnv,
  directory: string,
  reader: SeriesReader,
  block: NewBlock,
): Generator<void, BlockMeta | null> {
  const { disk } = env
  const id = blockId(block)
  const temporary = `${directory}/${id}${UNFINISHED}`
  if (disk.stat(temporary)) disk.removeDirectory(temporary, { recursive: true })
  disk.makeDirectory(directory)
  disk.makeDirectory(temporary)
  let isWritten = false
  try {
    const meta = yield* writeFiles(env, temporary, reader, block, id)
    if (meta) {
      disk.syncDirectory(temporary)
      disk.rename(temporary, `${directory}/${id}`)
      isWritten = true
      disk.syncDirectory(directory)
    }
    return meta
  } finally {
    if (!isWritten && disk.stat(temporary)) disk.removeDirectory(temporary, { recursive: true })
  }
}

export function blockId({ range, sequence }: Pick<NewBlock, 'range' | 'sequence'>): string {
  return `${range.minTime}-${range.maxTime}-${sequence}`
}

function* writeFiles(
  env: BlockEnv,
  path: string,
  reader: SeriesReader,
  { range, sequence, level, sources, deletes, expired, tiers, sizes }: NewBlock,
  id: string,
): Generator<void, BlockMeta | null> {
  const { disk, compressor } = env
  const wanted = { minTime: range.minTime, maxTime: range.maxTime - 1 }
  const series = sortedSeries(reader, reader.select([], wanted))
  yield
  const index = new IndexWriter(series.symbols)
  const file = disk.open(`${path}/${CHUNKS_FILE}`, 'w')
  let chunksBytes = 0
  let chunks: ChunkWriter
  let builders: RunBuilder[]
  let windows: SeriesTiers | null
  try {
    const out = new RunFileWriter(file, compressor)
    builders = [new RunBuilder(out), new RunBuilder(out)]
    chunks = new ChunkWriter(builders[0]!, builders[1]!, sizes)
    windows = tiers ? new SeriesTiers(out, reader, wanted, tiers) : null
    const samples = createSampleBuffer(1024)
    const entries: ChunkEntry[] = []
    for (let i = 0; i < series.order.length; i++) {
      const at = series.order[i]!
      reader.read(series.refs[at]!, wanted, samples)
      const hasWindows = windows?.take(series.refs[at]!, samples) ?? false
      if (samples.count > 0 || hasWindows) {
        entries.length = 0
        chunks.add(samples, entries)
        index.add(series.ranks.subarray(series.starts[at]!, series.starts[at + 1]!), entries)
        windows?.write()
      }
      if (i % SERIES_PER_SLICE === SERIES_PER_SLICE - 1) yield
    }
    for (const builder of builders) builder.close()
    windows?.close()
    if (index.series === 0) return null
    out.finish()
    chunksBytes = out.sizeBytes
  } finally {
    file.close()
  }
  yield
  const bytes = encodeIndex(index.sections(chunks.times, builders, windows?.sections() ?? []), compressor)
  writeSynced(env, `${path}/${INDEX_FILE}`, bytes)
  const meta: BlockMeta = {
    version: 1,
    id,
    minTime: range.minTime,
    maxTime: range.maxTime,
    sequence,
    level,
    sources,
    stats: {
      series: index.series,
      samples: chunks.samples,
      histograms: chunks.histograms,
      chunks: index.chunkCount,
      labelPairs: index.pairCount,
      symbols: index.symbolCount,
    },
    indexCrc: crc32c(bytes),
    indexBytes: bytes.length,
    chunksBytes,
    ...(deletes && { deletes }),
    ...(expired && expired.length > 0 && { expired }),
    ...(windows && windows.written.length > 0 && { tiers: windows.written }),
    ...(tiers?.goneBefore !== undefined && { goneBefore: tiers.goneBefore }),
  }
  const text = new TextEncoder().encode(encodeMeta(meta))
  for (const name of [META_FILE, META_COPY_FILE]) writeSynced(env, `${path}/${name}`, text)
  return meta
}

function writeSynced({ disk }: BlockEnv, path: string, bytes: Uint8Array): void {
  const file = disk.open(path, 'w')
  try {
    file.write(bytes, 0)
    file.datasync()
  } finally {
    file.close()
  }
}

type SortedSeries = {
  /** Ascending. */
  readonly symbols: readonly string[]
  readonly refs: Uint32Array
  /** Label symbols as positions in `symbols`; those of `refs[i]` from `starts[i]` to `starts[i + 1]`. */
  readonly ranks: Uint32Array
  readonly starts: Float64Array
  /** Positions in `refs` in the order of the labels. */
  readonly order: Uint32Array
}

/** Series that are alike (one metric, many targets) come to stand together, which is what compresses well. */
function sortedSeries(reader: SeriesReader, refs: Uint32Array): SortedSeries {
  const starts = new Float64Array(refs.length + 1)
  let ids = new Uint32Array(refs.length * 16 + 16)
  let used = 0
  const texts = new Map<number, string>()
  refs.forEach((ref, i) => {
    const labels = reader.labelIds(ref)
    starts[i] = used
    if (used + labels.length > ids.length) {
      const grown = new Uint32Array(Math.max(used + labels.length, ids.length * 2))
      grown.set(ids)
      ids = grown
    }
    ids.set(labels, used)
    used += labels.length
    for (const id of labels) if (!texts.has(id)) texts.set(id, reader.symbol(id))
  })
  starts[refs.length] = used
  const sorted = [...texts].sort(([, a], [, b]) => compareStrings(a, b))
  const rankOf = new Map(sorted.map(([id], rank) => [id, rank]))
  const ranks = ids.subarray(0, used)
  for (let i = 0; i < used; i++) ranks[i] = rankOf.get(ranks[i]!)!
  const order = new Uint32Array(refs.length).map((_, i) => i)
  order.sort((a, b) => compareRanks(ranks, starts, a, b))
  return { symbols: sorted.map(([, text]) => text), refs, ranks, starts, order }
}

function compareRanks(ranks: Uint32Array, starts: Float64Array, a: number, b: number): number {
  const fromA = starts[a]!
  const fromB = starts[b]!
  const lengthA = starts[a + 1]! - fromA
  const lengthB = starts[b + 1]! - fromB
  const n = Math.min(lengthA, lengthB)
  for (let i = 0; i < n; i++) {
    const difference = ranks[fromA + i]! - ranks[fromB + i]!
    if (difference !== 0) return difference
  }
  return lengthA - lengthB
}
