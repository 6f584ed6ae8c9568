/**
 * A block that is opened when a query's range first comes to it: of a year's blocks, a thread holds the indexes of
 * those that are asked for. One that turns out to be damaged is empty.
 */
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import type { Exemplar, Metadata } from '../../protocol/samples/mod.ts'
import type { SampleBuffer, SeriesReader, Shard, StoredAggregates, TimeRange } from '../tsdb/mod.ts'
import type { BlockRange, BlockReader, OnDamage } from './contract.ts'
import { BlockDamagedError } from './errors.ts'
import { FirstRefs } from './first-refs.ts'
import { MatchedRefs } from './hiding.ts'

export class LazyBlock implements SeriesReader {
  readonly #range: BlockRange
  readonly #open: () => BlockReader | BlockDamagedError
  readonly #onMissing: OnDamage
  /** For what is hidden from the block, between queries. */
  readonly matched = new MatchedRefs(this)
  /** For merging with the head, between queries. */
  readonly firstRefs = new FirstRefs()
  #reader: BlockReader | null = null
  #damage: BlockDamagedError | null = null

  /**
   * @param open an error: damaged, and not tried again
   * @param onMissing hears of it whenever the block would be needed
   */
  constructor(range: BlockRange, open: () => BlockReader | BlockDamagedError, onMissing: OnDamage) {
    this.#range = range
    this.#open = open
    this.#onMissing = onMissing
  }

  timeRange(): TimeRange {
    return { minTime: this.#range.minTime, maxTime: this.#range.maxTime - 1 }
  }

  select(matchers: readonly Matcher[], range: TimeRange, shard?: Shard): Uint32Array {
    return this.#openedFor(range)?.select(matchers, range, shard) ?? new Uint32Array(0)
  }

  labels(ref: number): Labels {
    return this.#known().labels(ref)
  }

  labelIds(ref: number): Uint32Array {
    return this.#known().labelIds(ref)
  }

  labelHash(ref: number): number {
    return this.#known().labelHash(ref)
  }

  symbol(id: number): string {
    return this.#known().symbol(id)
  }

  symbolId(text: string): number {
    return this.#opened()?.symbolId(text) ?? -1
  }

  get stored(): StoredAggregates | null {
    return this.#opened()?.stored ?? null
  }

  read(ref: number, range: TimeRange, out: SampleBuffer): void {
    this.#known().read(ref, range, out)
  }

  append(ref: number, range: TimeRange, out: SampleBuffer): void {
    this.#known().append(ref, range, out)
  }

  labelNames(matchers: readonly Matcher[], range: TimeRange): string[] {
    return this.#openedFor(range)?.labelNames(matchers, range) ?? []
  }

  labelValues(name: string, matchers: readonly Matcher[], range: TimeRange): readonly string[] {
    return this.#openedFor(range)?.labelValues(name, matchers, range) ?? []
  }

  exemplars(): Exemplar[] {
    return []
  }

  metadata(): ReadonlyMap<string, readonly Metadata[]> {
    return new Map()
  }

  get seriesCount(): number {
    return this.#reader?.seriesCount ?? 0
  }

  release(): void {}

  close(): void {
    this.#reader?.close()
    this.#reader = null
  }

  #openedFor({ minTime, maxTime }: TimeRange): BlockReader | null {
    const reader = this.#opened()
    const isWithin = minTime < this.#range.maxTime && maxTime >= this.#range.minTime
    if (this.#damage !== null && isWithin) this.#onMissing(this.#damage)
    return reader
  }

  /** @throws DiskError */
  #opened(): BlockReader | null {
    if (this.#reader === null && this.#damage === null) {
      const opened = this.#open()
      if (opened instanceof BlockDamagedError) this.#damage = opened
      else this.#reader = opened
    }
    return this.#reader
  }

  /** Whoever has a ref has selected it. */
  #known(): BlockReader {
    const reader = this.#opened()
    if (reader === null) throw new Error('BUG: a ref of a block that has none')
    return reader
  }
}
