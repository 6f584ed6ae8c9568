/** A reader that passes everything on: what changes one answer of another reader extends it. */
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import type { Exemplar, Metadata } from '../../protocol/samples/mod.ts'
import type { ChosenAggregates } from '../tsdb/aggregates.ts'
import type { SampleBuffer, SeriesReader, SeriesRef, Shard, SymbolId, TimeRange } from '../tsdb/contract.ts'

export class DelegatingReader implements SeriesReader {
  protected readonly reader: SeriesReader

  constructor(reader: SeriesReader) {
    this.reader = reader
  }

  select(matchers: readonly Matcher[], range: TimeRange, shard?: Shard): Uint32Array {
    return this.reader.select(matchers, range, shard)
  }

  matchBound(matchers: readonly Matcher[]): number {
    return this.reader.matchBound?.(matchers) ?? Number.POSITIVE_INFINITY
  }

  labels(ref: SeriesRef): Labels {
    return this.reader.labels(ref)
  }

  isOwnRef(ref: SeriesRef): boolean {
    return this.reader.isOwnRef?.(ref) ?? false
  }

  orderOf(ref: SeriesRef): number {
    return this.reader.orderOf?.(ref) ?? ref
  }

  /** -1: it has none. */
  refFor(labels: Labels): SeriesRef {
    return this.reader.refFor?.(labels) ?? -1
  }

  labelIds(ref: SeriesRef): Uint32Array {
    return this.reader.labelIds(ref)
  }

  valueId(ref: SeriesRef, name: SymbolId): SymbolId {
    if (this.reader.valueId !== undefined) return this.reader.valueId(ref, name)
    const ids = this.reader.labelIds(ref)
    for (let i = 0; i < ids.length; i += 2) if (ids[i] === name) return ids[i + 1]!
    return -1
  }

  symbol(id: SymbolId): string {
    return this.reader.symbol(id)
  }

  symbolId(text: string): SymbolId {
    return this.reader.symbolId(text)
  }

  read(ref: SeriesRef, range: TimeRange, out: SampleBuffer): void {
    this.reader.read(ref, range, out)
  }

  readNewest(ref: SeriesRef, range: TimeRange, out: SampleBuffer): void {
    if (this.reader.readNewest !== undefined) this.reader.readNewest(ref, range, out)
    else this.read(ref, range, out)
  }

  readWeight(ref: SeriesRef, range: TimeRange): number {
    return this.reader.readWeight?.(ref, range) ?? Number.POSITIVE_INFINITY
  }

  get chosen(): ChosenAggregates | null {
    return this.reader.chosen ?? null
  }

  labelNames(matchers: readonly Matcher[], range: TimeRange): string[] {
    return this.reader.labelNames(matchers, range)
  }

  labelValues(name: string, matchers: readonly Matcher[], range: TimeRange): readonly string[] {
    return this.reader.labelValues(name, matchers, range)
  }

  exemplars(ref: SeriesRef, range: TimeRange): Exemplar[] {
    return this.reader.exemplars(ref, range)
  }

  metadata(): ReadonlyMap<string, readonly Metadata[]> {
    return this.reader.metadata()
  }

  get seriesCount(): number {
    return this.reader.seriesCount
  }

  timeRange(): TimeRange | null {
    return this.reader.timeRange()
  }

  release(): void {
    this.reader.release()
  }
}
