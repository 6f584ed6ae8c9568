/**
 * The directory of blocks as its one writer has it. Others read blocks by the paths of `share()`; a block that was
 * merged or has passed retention stays on disk until `sweep()`, so that whoever was given its path can open it.
 */
import { DiskError, type Logger } from '../../protocol/env/mod.ts'
import type { SeriesReader } from '../tsdb/mod.ts'
import { DAMAGED, namesIn, rangeOfId } from './block-names.ts'
import { ChunkSizes } from './chunk-sizes.ts'
import type { BlockEnv, BlockMeta, BlockRange } from './contract.ts'
import { type BlockStoreCounters, newCounters } from './counters.ts'
import { BlockDamagedError, type Damage } from './errors.ts'
import {
  expiredKeys,
  expiryOf,
  type Floors,
  type Hidden,
  hideFromBlock,
  hideFromHead,
  isAffected,
  NO_FLOORS,
  NOTHING_HIDDEN,
} from './hiding.ts'
import { mergeReaders } from './merge-readers.ts'
import { healMeta, isDamage, rewriteMeta, whyUnread } from './meta.ts'
import { openBlock } from './open-block.ts'
import {
  blockBytes,
  type CompactionPlan,
  isPastMerging,
  planCompaction,
  planOverlap,
  planRetention,
  type RetentionLimits,
} from './plan.ts'
import { RunCache } from './run-cache.ts'
import { isOpenIn } from './tombstones.ts'
import { type NewBlock, type NewTiers, UNFINISHED, writeBlockInSlices } from './write-block.ts'

/** Which samples the writer of a block leaves out: those hidden, with every deletion up to `deletes` carried out. */
export type InForce = { readonly hidden: Hidden; readonly deletes: number }

export const NONE_IN_FORCE: InForce = { hidden: NOTHING_HIDDEN, deletes: 0 }

export type BlockShare = {
  /** Of two blocks with a sample at one time, the one that stands first has the say. */
  readonly paths: readonly string[]
  /** Grows with every change of the paths. */
  readonly generation: number
}

/** Each run is read once, in order. */
const MERGE_CACHE_BYTES = 16 << 20
/** Of the list that is shown; all are counted. */
const DAMAGES_MAX = 1000

/** @example const store = BlockStore.open({ disk, compressor, log, directory: `${data}/blocks` }) */
export class BlockStore {
  readonly counters: BlockStoreCounters = newCounters()
  /** Of the chunks of blocks that were cut. */
  readonly chunkSizes = new ChunkSizes()
  #damages: Damage[] = []
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

  /** As `BlockShare.generation`. */
  get generation(): number {
    return this.#generation
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
    const meta = yield* this.#write(hideFromHead(head, forWriting(hidden)), block)
    if (!meta) return null
    this.counters.cut++
    this.#change([...this.#blocks, meta])
    this.#log.info('Block cut', { block: meta.id, series: meta.stats.series, samples: meta.stats.samples })
    return meta
  }

  /** One merge, if one is due. @param retentionMs 0 = for ever @param nowMs see `planCompaction` */
  compact(
    retentionMs: number,
    blockMs?: number,
    inForce: InForce = NONE_IN_FORCE,
    nowMs: number = Number.POSITIVE_INFINITY,
  ): BlockMeta | null {
    return finish(this.compactInSlices(retentionMs, blockMs, inForce, nowMs))
  }

  /** As `compact`, a little at each `next()`. */
  *compactInSlices(
    retentionMs: number,
    blockMs?: number,
    inForce: InForce = NONE_IN_FORCE,
    nowMs: number = Number.POSITIVE_INFINITY,
  ): Generator<void, BlockMeta | null> {
    const samplesMs = this.#samplesMs(inForce.hidden.floors, nowMs)
    const plan = planCompaction(this.#blocks, retentionMs, blockMs, samplesMs, nowMs)
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
    if (floors.rules.length === 0 && !floors.tiers) return false
    const block = this.#blocks.find(({ maxTime, expired = [] }) =>
      expiredKeys(floors, maxTime).some((key) => !expired.includes(key)),
    )
    if (block) this.#rewrite(block, inForce)
    return block !== undefined
  }

  /** Gives one block downsampled windows that lacks some and is merged, or too old to be. Returns whether there was one. */
  downsample({ hidden, deletes }: InForce, blockMs?: number, nowMs?: number): boolean {
    const widths = widthsOf(hidden.floors)
    if (widths.length === 0) return false
    const block = this.#blocks.find(
      (each) => !hasWidths(each, widths) && (each.level > 1 || isPastMerging(each, this.#blocks, blockMs, nowMs)),
    )
    if (block) this.#rewrite(block, { hidden, deletes })
    return block !== undefined
  }

  *#merge(plan: CompactionPlan, { hidden, deletes }: InForce): Generator<void, BlockMeta | null> {
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
      const kept = forWriting(hidden)
      const all = mergeReaders(readers.map((reader) => hideFromBlock(reader, kept, reader.meta.deletes ?? 0)))
      const tiers = newTiers(all, hidden.floors, plan.range, sources)
      const meta = yield* this.#write(all, {
        range: plan.range,
        sequence: ++this.#sequence,
        level: 1 + Math.max(...sources.map(({ level }) => level)),
        sources: [...new Set(sources.flatMap((source) => [source.id, ...source.sources]))],
        deletes,
        expired: expiredKeys(hidden.floors, plan.range.maxTime),
        ...(tiers && { tiers }),
      })
      const rest = this.#blocks.filter((block) => !sources.includes(block))
      for (const { id } of sources) this.#retire(id, damaged.has(id))
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
    if (limits.timeMs > 0) this.#removeLost(nowMs - limits.timeMs)
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

  /** What was set aside goes when the block itself would have. */
  #removeLost(beforeMs: number): void {
    const isOld = ({ block, cost }: Damage): boolean => cost === 'block' && rangeOfId(block).maxTime <= beforeMs
    const old = this.#damages.filter(isOld)
    if (old.length === 0) return
    for (const { block } of old) {
      this.#retired.delete(block)
      for (const name of [block, `${block}${DAMAGED}`]) this.#remove(name)
    }
    this.#damages = this.#damages.filter((each) => !isOld(each))
    this.counters.damagesForgotten += old.length
    this.#log.info('Damaged blocks beyond retention removed', { blocks: old.map(({ block }) => block) })
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
  #rewrite(block: BlockMeta, { hidden, deletes }: InForce): void {
    let isDamaged = false
    const reader = this.#open(block.id, new RunCache(MERGE_CACHE_BYTES), () => (isDamaged = true))
    if (!reader) return
    const rest = this.#blocks.filter((other) => other !== block)
    const expired = [...new Set([...(block.expired ?? []), ...expiredKeys(hidden.floors, block.maxTime)])]
    const news = { deletes, ...(expired.length > 0 && { expired }) }
    try {
      if (hasWidths(block, widthsOf(hidden.floors)) && !isAffected(reader, hidden, block.deletes ?? 0)) {
        const meta = { ...block, ...news }
        rewriteMeta(this.#env.disk, `${this.#directory}/${block.id}`, meta)
        this.#change([...rest, meta])
        return
      }
      const all = hideFromBlock(reader, forWriting(hidden), block.deletes ?? 0)
      const tiers = newTiers(all, hidden.floors, block, [block])
      const meta = finish(
        this.#write(all, {
          range: { minTime: block.minTime, maxTime: block.maxTime },
          sequence: ++this.#sequence,
          level: block.level,
          sources: [block.id, ...block.sources],
          ...news,
          ...(tiers && { tiers }),
        }),
      )
      this.#retire(block.id, isDamaged)
      this.#change(meta ? [...rest, meta] : rest)
      this.counters.rewritten++
      this.#log.info('Block written anew without what was deleted or has expired, or with downsampled windows', {
        block: block.id,
        now: meta?.id ?? 'none',
        samples: block.stats.samples - (meta?.stats.samples ?? 0),
      })
    } finally {
      reader.close()
    }
  }

  /** For how long the samples of any series are kept; windows may be kept for longer. */
  #samplesMs(floors: Floors, nowMs: number): number {
    if (!floors.tiers) return Number.POSITIVE_INFINITY
    const newest = this.#blocks.reduce((max, { maxTime }) => Math.max(max, maxTime), Number.NEGATIVE_INFINITY)
    return Math.min(newest, nowMs) - Math.min(floors.minTime, ...floors.rules.map(({ minTime }) => minTime))
  }

  *#write(reader: SeriesReader, block: NewBlock): Generator<void, BlockMeta | null> {
    return yield* writeBlockInSlices(this.#env, this.#directory, reader, block)
  }

  #change(blocks: BlockMeta[]): void {
    this.#blocks = blocks.sort((a, b) => a.minTime - b.minTime || a.sequence - b.sequence)
    this.#generation++
  }

  /** Another block has what could be read of it. What could not is still missing, and told of as after a restart. */
  #retire(id: string, isDamaged: boolean): void {
    this.#retired.set(id, isDamaged ? 'kept as damaged' : 'removed')
    if (isDamaged)
      this.#note({ block: id, piece: 'block', why: 'damaged in part when it was rewritten', cost: 'block' })
  }

  /** Null when it is damaged, and then it is no longer listed. */
  #open(id: string, cache: RunCache, onDamagedRun: () => void): ReturnType<typeof openBlock> | null {
    try {
      return openBlock(this.#env, `${this.#directory}/${id}`, {
        cache,
        onDamage: (error) => {
          this.#damagedPiece(error)
          if (error.cost !== 'nothing') onDamagedRun()
        },
      })
    } catch (error) {
      if (!(error instanceof BlockDamagedError)) throw error
      this.#damagedBlock(id, error)
      return null
    }
  }

  #damagedPiece(error: BlockDamagedError): void {
    this.counters.damagedRuns++
    this.#log.error(
      'A piece of a block is damaged; what it held is lost if it stands nowhere else, the rest is served',
      {
        err: error,
      },
    )
    this.#note(error.damage)
  }

  #damagedBlock(id: string, error: BlockDamagedError): void {
    this.counters.damagedBlocks++
    this.#log.error('A block is damaged and set aside', { block: id, err: error })
    this.#note({ ...error.damage, cost: 'block' })
    this.#retired.set(id, 'kept as damaged')
    this.#change(this.#blocks.filter((block) => block.id !== id))
  }

  #note(damage: Damage): void {
    if (this.#damages.length < DAMAGES_MAX) this.#damages.push(damage)
    else this.counters.damagesForgotten++
  }

  #recover(): void {
    const { disk } = this.#env
    disk.makeDirectory(this.#directory)
    // Its own name too must outlive a loss of power: blocks are the only copy of what the head evicts.
    disk.syncDirectory(this.#directory.slice(0, this.#directory.lastIndexOf('/')) || '/')
    const names = namesIn(disk, this.#directory)
    this.#sequence = names[0]?.sequence ?? 0
    const found: BlockMeta[] = []
    const replaced = new Set<string>()
    // A merge that was interrupted after its block was there: the sources are still to go, whatever has become of them.
    for (const { name, id } of names) {
      if (name !== id) {
        this.#note({ block: id, piece: 'block', why: 'set aside before this start', cost: 'block' })
      } else if (replaced.has(id)) {
        this.#retired.set(id, 'removed')
      } else {
        const reader = this.#openFound(id)
        if (!reader) continue
        found.push(reader.meta)
        for (const source of reader.meta.sources) replaced.add(source)
        reader.close()
      }
    }
    this.#change(found)
    // Nobody can hold a share yet.
    this.sweep()
  }

  #openFound(name: string): ReturnType<typeof openBlock> | null {
    const path = `${this.#directory}/${name}`
    try {
      healMeta(this.#env.disk, path, (error) => this.#damagedPiece(error))
      const reader = this.#open(name, new RunCache(0), () => {})
      if (!reader || reader.meta.id === name) return reader
      reader.close()
      this.#damagedBlock(name, new BlockDamagedError(path, 'meta.json', `it is of block "${reader.meta.id}"`))
      return null
    } catch (error) {
      if (error instanceof BlockDamagedError) this.#damagedBlock(name, error)
      else if (error instanceof DiskError && isDamage(error))
        this.#damagedBlock(name, new BlockDamagedError(path, 'directory', whyUnread(error), { cause: error }))
      else throw error
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

/** What must not even be read for a new block; with windows, these are first made of what retention takes. */
function forWriting(hidden: Hidden): Hidden {
  return hidden.floors.tiers ? { tombstones: hidden.tombstones, floors: NO_FLOORS } : hidden
}

function widthsOf({ tiers }: Floors): readonly number[] {
  return tiers?.map(({ widthMs }) => widthMs) ?? []
}

function hasWidths({ tiers = [] }: BlockMeta, widths: readonly number[]): boolean {
  return widths.length === tiers.length && widths.every((width) => tiers.some(({ widthMs }) => widthMs === width))
}

function newTiers(
  all: SeriesReader,
  floors: Floors,
  range: BlockRange,
  sources: readonly BlockMeta[],
): NewTiers | undefined {
  if (!floors.tiers) return undefined
  const { minTime, rules } = floors
  const before = Math.max(
    minTime,
    ...rules.map((rule) => rule.minTime),
    ...sources.map(({ goneBefore = Number.NEGATIVE_INFINITY }) => goneBefore),
  )
  const goneBefore = before > range.minTime ? Math.min(before, range.maxTime) : undefined
  return { widths: widthsOf(floors), expiry: expiryOf(all, floors), goneBefore }
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
