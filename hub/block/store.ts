/**
 * The directory of blocks as its one writer has it. Others read blocks by the paths of `share()`; a block that was
 * merged or has passed retention stays on disk until `sweep()`, so that whoever was given its path can open it.
 */
import type { Logger } from '../../protocol/env/mod.ts'
import type { SeriesReader } from '../tsdb/mod.ts'
import { ChunkSizes } from './chunk-sizes.ts'
import { type BlockEnv, type BlockMeta, type BlockRange, META_FILE } from './contract.ts'
import { BlockDamagedError } from './errors.ts'
import { expiredKeys, type Hidden, hideFromBlock, hideFromHead, isAffected, NOTHING_HIDDEN } from './hiding.ts'
import { mergeReaders } from './merge-readers.ts'
import { encodeMeta } from './meta.ts'
import { openBlock } from './open-block.ts'
import {
  blockBytes,
  type CompactionPlan,
  planCompaction,
  planOverlap,
  planRetention,
  type RetentionLimits,
} from './plan.ts'
import { RunCache } from './run-cache.ts'
import { resolutionOf, type Thinning, thinned } from './thin.ts'
import { isOpenIn } from './tombstones.ts'
import { type NewBlock, UNFINISHED, writeBlockInSlices } from './write-block.ts'

export type BlockStoreCounters = {
  cut: number
  compacted: number
  /** Of `compacted`: for the sake of blocks that overlapped. */
  overlapping: number
  /** Written anew without what was deleted, or is beyond the retention of its series. */
  rewritten: number
  removed: number
  /** Rounds of retention that removed blocks for their age, and for the size of all. */
  timeRetentions: number
  sizeRetentions: number
  /** Set aside whole, under `<id>.damaged`. */
  damagedBlocks: number
  /** Met while merging. */
  damagedRuns: number
}

/** Which samples the writer of a block leaves out: those hidden, with every deletion up to `deletes` carried out. */
export type InForce = { readonly hidden: Hidden; readonly deletes: number; readonly thinning: readonly Thinning[] }

export const NONE_IN_FORCE: InForce = { hidden: NOTHING_HIDDEN, deletes: 0, thinning: [] }

/** What was set aside, or of which a part is not served. */
export type Damage = { readonly block: string; readonly piece: string; readonly why: string }

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
/** Of the list that is shown; all are counted. */
const DAMAGES_MAX = 1000

/** @example const store = BlockStore.open({ disk, compressor, log, directory: `${data}/blocks` }) */
export class BlockStore {
  readonly counters: BlockStoreCounters = newCounters()
  /** Of the chunks of blocks that were cut. */
  readonly chunkSizes = new ChunkSizes()
  readonly #damages: Damage[] = []
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

  damages(): readonly Damage[] {
    return this.#damages
  }

  /** Whether blocks that are no longer listed are still on disk under their names. */
  get hasRetired(): boolean {
    return this.#retired.size > 0
  }

  /** Higher than that of any block. */
  get nextSequence(): number {
    return this.#sequence + 1
  }

  sizeBytes(): number {
    return this.#blocks.reduce((sum, block) => sum + blockBytes(block), 0)
  }

  share(): BlockShare {
    const newestFirst = [...this.#blocks].sort((a, b) => b.sequence - a.sequence)
    return { paths: newestFirst.map(({ id }) => `${this.#directory}/${id}`), generation: this.#generation }
  }

  /** What the reader has in the range, as a block that is on disk when this returns; null when it has nothing. */
  cut(head: SeriesReader, range: BlockRange, inForce: InForce = NONE_IN_FORCE): BlockMeta | null {
    return finish(this.cutInSlices(head, range, inForce))
  }

  /** As `cut`, a little at each `next()`. One cut or merge at a time. */
  *cutInSlices(
    head: SeriesReader,
    range: BlockRange,
    { hidden, deletes }: InForce = NONE_IN_FORCE,
  ): Generator<void, BlockMeta | null> {
    const block = { range, sequence: ++this.#sequence, level: 1, sources: [], deletes, sizes: this.chunkSizes }
    const meta = yield* this.#write(hideFromHead(head, hidden), block)
    if (!meta) return null
    this.counters.cut++
    this.#change([...this.#blocks, meta])
    this.#log.info('Block cut', { block: meta.id, series: meta.stats.series, samples: meta.stats.samples })
    return meta
  }

  /** One merge, if one is due. @param retentionMs 0 = for ever */
  compact(retentionMs: number, blockMs?: number, inForce: InForce = NONE_IN_FORCE): BlockMeta | null {
    return finish(this.compactInSlices(retentionMs, blockMs, inForce))
  }

  /** As `compact`, a little at each `next()`. */
  *compactInSlices(
    retentionMs: number,
    blockMs?: number,
    inForce: InForce = NONE_IN_FORCE,
  ): Generator<void, BlockMeta | null> {
    const plan = planCompaction(this.#blocks, retentionMs, blockMs)
    return plan && (yield* this.#merge(plan, inForce))
  }

  /** Carries out deletions in one block that has not seen them. Returns whether there was work; then call it again. */
  clean(inForce: InForce): boolean {
    const isOpen = (block: BlockMeta): boolean => inForce.hidden.tombstones.some((each) => isOpenIn(each, block))
    const block = this.#blocks.find(isOpen)
    if (!block) return false
    // A block that is written anew gets the say over those that it overlaps: first let there be none.
    const overlap = planOverlap(this.#blocks)
    if (overlap) finish(this.#merge(overlap, inForce))
    else this.#rewrite(block, inForce)
    return true
  }

  /** Writes one block anew that holds series of which all is beyond their retention. Returns whether there was one. */
  expire(inForce: InForce): boolean {
    const { floors } = inForce.hidden
    if (floors.rules.length === 0) return false
    const block = this.#blocks.find(({ maxTime, expired = [] }) =>
      expiredKeys(floors, maxTime).some((key) => !expired.includes(key)),
    )
    if (block) this.#rewrite(block, inForce)
    return block !== undefined
  }

  /** Thins one block out that is old enough. Returns whether there was one. */
  thin(inForce: InForce): boolean {
    const block = this.#blocks.find(
      ({ maxTime, resolutionMs = 0 }) => resolutionOf(inForce.thinning, maxTime) > resolutionMs,
    )
    if (block) this.#rewrite(block, inForce)
    return block !== undefined
  }

  *#merge(plan: CompactionPlan, { hidden, deletes, thinning }: InForce): Generator<void, BlockMeta | null> {
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
      const clean = readers.map((reader) => hideFromBlock(reader, hidden, reader.meta.deletes ?? 0))
      const wanted = resolutionOf(thinning, plan.range.maxTime)
      const meta = yield* this.#write(thinned(mergeReaders(clean), wanted), {
        range: plan.range,
        sequence: ++this.#sequence,
        level: 1 + Math.max(...sources.map(({ level }) => level)),
        sources: [...new Set(sources.flatMap((source) => [source.id, ...source.sources]))],
        deletes,
        expired: expiredKeys(hidden.floors, plan.range.maxTime),
        resolutionMs: Math.max(wanted, Math.min(...sources.map(({ resolutionMs }) => resolutionMs ?? 0))),
      })
      const rest = this.#blocks.filter((block) => !sources.includes(block))
      for (const { id } of sources) this.#retired.set(id, damaged.has(id) ? 'kept as damaged' : 'removed')
      this.#change(meta ? [...rest, meta] : rest)
      this.counters.compacted++
      if (isOverlap(sources)) this.counters.overlapping++
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
    const isOld = (block: BlockMeta): boolean => limits.timeMs > 0 && block.maxTime <= nowMs - limits.timeMs
    if (gone.some(isOld)) this.counters.timeRetentions++
    if (!gone.every(isOld)) this.counters.sizeRetentions++
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

  /** Without what is hidden; a block that loses nothing is told so in its description alone. */
  #rewrite(block: BlockMeta, { hidden, deletes, thinning }: InForce): void {
    let isDamaged = false
    const reader = this.#open(block.id, new RunCache(MERGE_CACHE_BYTES), () => (isDamaged = true))
    if (!reader) return
    const rest = this.#blocks.filter((other) => other !== block)
    const expired = [...new Set([...(block.expired ?? []), ...expiredKeys(hidden.floors, block.maxTime)])]
    const before = block.resolutionMs ?? 0
    const resolutionMs = Math.max(before, resolutionOf(thinning, block.maxTime))
    const news = { deletes, ...(expired.length > 0 && { expired }), ...(resolutionMs > 0 && { resolutionMs }) }
    try {
      if (resolutionMs === before && !isAffected(reader, hidden, block.deletes ?? 0)) {
        const meta = { ...block, ...news }
        this.#env.disk.writeFileAtomic(`${this.#directory}/${block.id}/${META_FILE}`, encodeMeta(meta))
        this.#change([...rest, meta])
        return
      }
      const meta = finish(
        this.#write(thinned(hideFromBlock(reader, hidden, block.deletes ?? 0), resolutionMs), {
          range: { minTime: block.minTime, maxTime: block.maxTime },
          sequence: ++this.#sequence,
          level: block.level,
          sources: [block.id, ...block.sources],
          ...news,
        }),
      )
      this.#retired.set(block.id, isDamaged ? 'kept as damaged' : 'removed')
      this.#change(meta ? [...rest, meta] : rest)
      this.counters.rewritten++
      this.#log.info('Block written anew without what was deleted, has expired or is not kept so finely', {
        block: block.id,
        now: meta?.id ?? 'none',
        samples: block.stats.samples - (meta?.stats.samples ?? 0),
      })
    } finally {
      reader.close()
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
          this.#note(id, error)
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
    this.#note(id, error)
    this.#retired.set(id, 'kept as damaged')
    this.#change(this.#blocks.filter((block) => block.id !== id))
  }

  #note(block: string, { piece, why }: { readonly piece: string; readonly why: string }): void {
    if (this.#damages.length < DAMAGES_MAX) this.#damages.push({ block, piece, why })
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
      if (name.endsWith(DAMAGED)) {
        this.#note(name.slice(0, -DAMAGED.length), { piece: 'block', why: 'set aside before this start' })
        continue
      }
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

function newCounters(): BlockStoreCounters {
  return {
    cut: 0,
    compacted: 0,
    overlapping: 0,
    rewritten: 0,
    removed: 0,
    timeRetentions: 0,
    sizeRetentions: 0,
    damagedBlocks: 0,
    damagedRuns: 0,
  }
}

function isOverlap(sources: readonly BlockMeta[]): boolean {
  return planOverlap([...sources].sort((a, b) => a.minTime - b.minTime)) !== null
}

function finish<T>(slices: Generator<void, T>): T {
  for (;;) {
    const { done, value } = slices.next()
    if (done) return value
  }
}
