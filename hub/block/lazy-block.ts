/**
 * A block that is opened when a query's range first comes to it: of a year's blocks, a thread holds the indexes of
 * those that are asked for. One that turns out to be damaged is empty.
 */
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import type { Exemplar, Metadata } from '../../protocol/samples/mod.ts'
import type { SampleBuffer, SeriesReader, Shard, TimeRange } from '../tsdb/mod.ts'
import type { BlockRange, BlockReader } from './contract.ts'
import { MatchedRefs } from './hiding.ts'

export class LazyBlock implements SeriesReader {
  readonly #range: BlockRange
  readonly #open: () => BlockReader | null
  /** For what is hidden from the block, between queries. */
  readonly matched = new MatchedRefs(this)
  #reader: BlockReader | null = null
  #isDamaged = false

  /** @param open null: damaged, and not tried again */
  constructor(range: BlockRange, open: () => BlockReader | null) {
    this.#range = range
    this.#open = open
  }

  timeRange(): TimeRange {
    return { minTime: this.#range.minTime, maxTime: this.#range.maxTime - 1 }
  }

  select(matchers: readonly Matcher[], range: TimeRange, shard?: Shard): Uint32Array {
    return this.#opened()?.select(matchers, range, shard) ?? new Uint32Array(0)
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

  read(ref: number, range: TimeRange, out: SampleBuffer): void {
    this.#known().read(ref, range, out)
  }

  labelNames(matchers: readonly Matcher[], range: TimeRange): string[] {
    return this.#opened()?.labelNames(matchers, range) ?? []
  }

  labelValues(name: string, matchers: readonly Matcher[], range: TimeRange): string[] {
    return this.#opened()?.labelValues(name, matchers, range) ?? []
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

  /** @throws DiskError */
  #opened(): BlockReader | null {
    if (this.#reader === null && !this.#isDamaged) {
      this.#reader = this.#open()
      this.#isDamaged = this.#reader === null
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
