/**
 * The directory of blocks as its one writer has it. Others read blocks by the paths of `share()`; a block that was
 * merged or has passed retention stays on disk until `sweep()`, so that whoever was given its path can open it.
 */
import type { Logger } from '../../protocol/env/mod.ts'
import type { SeriesReader } from '../tsdb/mod.ts'
import type { BlockEnv, BlockMeta, BlockRange } from './contract.ts'
import { BlockDamagedError } from './errors.ts'
import { mergeReaders } from './merge-readers.ts'
import { openBlock } from './open-block.ts'
import { blockBytes, planCompaction, planRetention, type RetentionLimits } from './plan.ts'
import { RunCache } from './run-cache.ts'
import { type NewBlock, UNFINISHED, writeBlockInSlices } from './write-block.ts'

export type BlockStoreCounters = {
  cut: number
  compacted: number
  removed: number
  /** Set aside whole, under `<id>.damaged`. */
  damagedBlocks: number
  /** Met while merging. */
  damagedRuns: number
}

export type BlockShare = {
  /** Of two blocks with a sample at one time, the one that stands first has the say. */
  readonly paths: readonly string[]
  /** Grows with every change of the paths. */
  readonly generation: number
}

const DAMAGED = '.damaged'
const ID = /^-?\d+--?\d+-(\d+)$/
/** Each run is read once, in order. */
const MERGE_CACHE_BYTES = 16 << 20

/** @example const store = BlockStore.open({ disk, compressor, log, directory: `${data}/blocks` }) */
export class BlockStore {
  readonly counters: BlockStoreCounters = { cut: 0, compacted: 0, removed: 0, damagedBlocks: 0, damagedRuns: 0 }
  readonly #env: BlockEnv
  readonly #log: Logger
  readonly #directory: string
  #blocks: BlockMeta[] = []
  /** Names that go with the next sweep, by what becomes of them. */
  readonly #retired = new Map<string, 'removed' | 'kept as damaged'>()
  #sequence = 0
  #generation = 1

  /**
   * Verifies what is there; finishes what a crash interrupted; sets damaged blocks aside.
   * @throws DiskError
   */
  static open(options: BlockEnv & { readonly log: Logger; readonly directory: string }): BlockStore {
    const store = new BlockStore(options)
    store.#recover()
    return store
  }

  private constructor({
    disk,
    compressor,
    log,
    directory,
  }: BlockEnv & { readonly log: Logger; readonly directory: string }) {
    this.#env = { disk, compressor }
    this.#log = log.with({ component: 'blocks' })
    this.#directory = directory
  }

  /** Oldest first. */
  list(): readonly BlockMeta[] {
    return this.#blocks
  }

  sizeBytes(): number {
    return this.#blocks.reduce((sum, block) => sum + blockBytes(block), 0)
  }

  share(): BlockShare {
    const newestFirst = [...this.#blocks].sort((a, b) => b.sequence - a.sequence)
    return { paths: newestFirst.map(({ id }) => `${this.#directory}/${id}`), generation: this.#generation }
  }

  /** What the reader has in the range, as a block that is on disk when this returns; null when it has nothing. */
  cut(reader: SeriesReader, range: BlockRange): BlockMeta | null {
    return finish(this.cutInSlices(reader, range))
  }

  /** As `cut`, a little at each `next()`. One cut or merge at a time. */
  *cutInSlices(reader: SeriesReader, range: BlockRange): Generator<void, BlockMeta | null> {
    const meta = yield* this.#write(reader, { range, sequence: ++this.#sequence, level: 1, sources: [] })
    if (!meta) return null
    this.counters.cut++
    this.#change([...this.#blocks, meta])
    this.#log.info('Block cut', { block: meta.id, series: meta.stats.series, samples: meta.stats.samples })
    return meta
  }

  /** One merge, if one is due. @param retentionMs 0 = for ever */
  compact(retentionMs: number, blockMs?: number): BlockMeta | null {
    return finish(this.compactInSlices(retentionMs, blockMs))
  }

  /** As `compact`, a little at each `next()`. */
  *compactInSlices(retentionMs: number, blockMs?: number): Generator<void, BlockMeta | null> {
    const plan = planCompaction(this.#blocks, retentionMs, blockMs)
    if (!plan) return null
    const cache = new RunCache(MERGE_CACHE_BYTES)
    const sources = [...plan.sources].sort((a, b) => b.sequence - a.sequence)
    const readers: ReturnType<typeof openBlock>[] = []
    const damaged = new Set<string>()
    try {
      for (const { id } of sources) {
        const reader = this.#open(id, cache, () => damaged.add(id))
        if (!reader) return null
        readers.push(reader)
      }
      const meta = yield* this.#write(mergeReaders(readers), {
        range: plan.range,
        sequence: ++this.#sequence,
        level: 1 + Math.max(...sources.map(({ level }) => level)),
        sources: [...new Set(sources.flatMap((source) => [source.id, ...source.sources]))],
      })
      const rest = this.#blocks.filter((block) => !sources.includes(block))
      for (const { id } of sources) this.#retired.set(id, damaged.has(id) ? 'kept as damaged' : 'removed')
      this.#change(meta ? [...rest, meta] : rest)
      this.counters.compacted++
      this.#log.info('Blocks merged', { sources: sources.map(({ id }) => id), block: meta?.id ?? 'none' })
      return meta
    } finally {
      for (const reader of readers) reader.close()
    }
  }

  /** Whole blocks only. Returns what was removed from the list. */
  applyRetention(limits: RetentionLimits, nowMs: number): readonly BlockMeta[] {
    const gone = planRetention(this.#blocks, limits, nowMs)
    if (gone.length === 0) return gone
    for (const { id } of gone) this.#retired.set(id, 'removed')
    this.counters.removed += gone.length
    this.#change(this.#blocks.filter((block) => !gone.includes(block)))
    this.#log.info('Blocks beyond retention removed', { blocks: gone.map(({ id }) => id) })
    return gone
  }

  /** Takes from disk what is no longer listed. Call it once no query can hold a share from before. */
  sweep(): void {
    for (const [id, what] of this.#retired) {
      if (what === 'removed') this.#remove(id)
      else this.#setAside(id)
      this.#retired.delete(id)
    }
  }

  *#write(reader: SeriesReader, block: NewBlock): Generator<void, BlockMeta | null> {
    return yield* writeBlockInSlices(this.#env, this.#directory, reader, block)
  }

  #change(blocks: BlockMeta[]): void {
    this.#blocks = blocks.sort((a, b) => a.minTime - b.minTime || a.sequence - b.sequence)
    this.#generation++
  }

  /** Null when it is damaged, and then it is no longer listed. */
  #open(id: string, cache: RunCache, onDamagedRun: () => void): ReturnType<typeof openBlock> | null {
    try {
      return openBlock(this.#env, `${this.#directory}/${id}`, {
        cache,
        onDamage: (error) => {
          this.counters.damagedRuns++
          this.#log.error('A run of chunks is damaged; its samples are lost, the rest is served', { err: error })
          onDamagedRun()
        },
      })
    } catch (error) {
      if (!(error instanceof BlockDamagedError)) throw error
      this.#damagedBlock(id, error)
      return null
    }
  }

  #damagedBlock(id: string, error: BlockDamagedError): void {
    this.counters.damagedBlocks++
    this.#log.error('A block is damaged and set aside', { block: id, err: error })
    this.#retired.set(id, 'kept as damaged')
    this.#change(this.#blocks.filter((block) => block.id !== id))
  }

  #recover(): void {
    const { disk } = this.#env
    disk.makeDirectory(this.#directory)
    // Its own name too must outlive a loss of power: blocks are the only copy of what the head evicts.
    disk.syncDirectory(this.#directory.slice(0, this.#directory.lastIndexOf('/')) || '/')
    const found: BlockMeta[] = []
    for (const name of disk.readDirectory(this.#directory)) {
      const path = `${this.#directory}/${name}`
      if (name.endsWith(UNFINISHED)) {
        disk.removeDirectory(path, { recursive: true })
        continue
      }
      const match = ID.exec(name.endsWith(DAMAGED) ? name.slice(0, -DAMAGED.length) : name)
      if (!match) continue
      this.#sequence = Math.max(this.#sequence, Number(match[1]))
      if (name.endsWith(DAMAGED)) continue
      const reader = this.#openFound(name)
      if (!reader) continue
      found.push(reader.meta)
      reader.close()
    }
    // A merge that was interrupted after its block was there: the sources are still to go.
    const replaced = new Set(found.flatMap(({ sources }) => sources))
    for (const { id } of found) if (replaced.has(id)) this.#retired.set(id, 'removed')
    this.#change(found.filter(({ id }) => !replaced.has(id)))
    // Nobody can hold a share yet.
    this.sweep()
  }

  #openFound(name: string): ReturnType<typeof openBlock> | null {
    const path = `${this.#directory}/${name}`
    try {
      const reader = this.#open(name, new RunCache(0), () => {})
      if (!reader || reader.meta.id === name) return reader
      reader.close()
      this.#damagedBlock(name, new BlockDamagedError(path, 'meta.json', `it is of block "${reader.meta.id}"`))
      return null
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ENOENT') throw error
      this.#damagedBlock(name, new BlockDamagedError(path, 'directory', 'a file is missing', { cause: error }))
      return null
    }
  }

  #setAside(id: string): void {
    const { disk } = this.#env
    const path = `${this.#directory}/${id}`
    if (disk.stat(path)) disk.rename(path, `${path}${DAMAGED}`)
    disk.syncDirectory(this.#directory)
  }

  /** By a name first that a restart removes: never half a block under a whole one's name. */
  #remove(id: string): void {
    const { disk } = this.#env
    const path = `${this.#directory}/${id}`
    if (!disk.stat(path)) return
    disk.rename(path, `${path}${UNFINISHED}`)
    disk.syncDirectory(this.#directory)
    disk.removeDirectory(`${path}${UNFINISHED}`, { recursive: true })
  }
}

function finish<T>(slices: Generator<void, T>): T {
  for (;;) {
    const { done, value } = slices.next()
    if (done) return value
  }
}
