/**
 * A head that stores nothing: what the log says is handed on, sample by sample. Refs below `refLimit` are those of the
 * checkpoint's snapshot, of which labels alone are kept; others are new ones of the table, moved up by it.
 */
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Exemplar, Histogram, Metadata } from '../../protocol/samples/mod.ts'
import type { HeadFactory, HeadRestorer, IngestHead } from '../ingest/view_mod.ts'
import { AppendResult, type Head, type HeadStats, headRestorer, openReader, type ReaderShare } from '../tsdb/mod.ts'
import { SeriesTable } from './series-table.ts'

/** Takes samples in the order of the log. Refs are those of the `SeriesTable`. */
export interface SampleTaker {
  /** The sample is `values[at]`; its bits count. @param startMs 0 unknown */
  float(ref: number, timestampMs: number, values: Float64Array, at: number, startMs: number): void
  histogram(ref: number, timestampMs: number, histogram: Histogram, startMs: number): void
  exemplar(ref: number, exemplar: Exemplar): void
}

/** What a log says of series, and who takes its samples: null while what was sent before is read once more. */
export class Tap implements HeadFactory {
  readonly table = new SeriesTable()
  readonly families = new Map<string, Metadata>()
  taker: SampleTaker | null = null

  create(): IngestHead {
    return new TapHead(this, null)
  }

  restore(): HeadRestorer {
    const restorer = headRestorer()
    return { push: (piece) => restorer.push(piece), finish: () => new TapHead(this, restorer.finish()) }
  }
}

const NONE = 0xffffffff

class TapHead implements IngestHead {
  readonly memory = { usedBytes: 0, limitBytes: Number.POSITIVE_INFINITY, failures: 0 }
  readonly refusedBy = 'series'
  readonly isAlmostFull = false
  readonly maxTime = Number.NEGATIVE_INFINITY
  readonly minValidTime = Number.NEGATIVE_INFINITY
  readonly refLimit: number
  logLife: number
  hasLimits = false
  readonly #tap: Tap
  /** By ref of the snapshot. */
  readonly #restored: Uint32Array

  constructor(tap: Tap, snapshot: Head | null) {
    this.#tap = tap
    this.refLimit = snapshot?.refLimit ?? 0
    this.logLife = snapshot?.logLife ?? 0
    this.#restored = new Uint32Array(this.refLimit).fill(NONE)
    if (snapshot) this.#adopt(snapshot)
  }

  #adopt(snapshot: Head): void {
    const reader = openReader(snapshot.share())
    for (let ref = 0; ref < this.refLimit; ref++)
      if (snapshot.isLive(ref)) this.#restored[ref] = this.#tap.table.add(reader.labels(ref))
    for (const [family, [metadata]] of reader.metadata()) if (metadata) this.#tap.families.set(family, metadata)
    reader.release()
  }

  series(labels: Labels): number {
    return this.#tap.table.add(labels) + this.refLimit
  }

  find(labels: Labels): number {
    return this.series(labels)
  }

  setMetadata(family: string, metadata: Metadata): void {
    this.#tap.families.set(family, metadata)
  }

  appendColumn(timestampMs: number, refs: Uint32Array, values: Float64Array, n: number): number {
    for (let i = 0; i < n; i++) this.appendFloat(refs[i]!, timestampMs, values, i, 0)
    return n
  }

  appendRun(
    timestampMs: number,
    refs: Uint32Array,
    values: Float64Array,
    from: number,
    n: number,
    results: Uint8Array,
  ): number {
    for (let i = from; i < from + n; i++) results[i] = this.appendFloat(refs[i]!, timestampMs, values, i, 0)
    return n
  }

  appendFloat(ref: number, timestampMs: number, values: Float64Array, at: number, startMs: number): AppendResult {
    const own = this.#own(ref)
    if (own === NONE) return AppendResult.unknownSeries
    this.#tap.taker?.float(own, timestampMs, values, at, startMs)
    return AppendResult.stored
  }

  appendHistogram(ref: number, timestampMs: number, histogram: Histogram, startMs: number): AppendResult {
    const own = this.#own(ref)
    if (own === NONE) return AppendResult.unknownSeries
    this.#tap.taker?.histogram(own, timestampMs, histogram, startMs)
    return AppendResult.stored
  }

  appendExemplar(ref: number, exemplar: Exemplar): void {
    const own = this.#own(ref)
    if (own !== NONE) this.#tap.taker?.exemplar(own, exemplar)
  }

  #own(ref: number): number {
    return ref < this.refLimit ? this.#restored[ref]! : ref - this.refLimit
  }

  publish(): void {}
  trim(): number {
    return 0
  }
  closeBefore(maxTime: number): number {
    return maxTime
  }
  evict(): number {
    return 0
  }
  isLive(): boolean {
    return true
  }
  lastTime(): number {
    return Number.NEGATIVE_INFINITY
  }
  storedAt(): null {
    return null
  }
  share(): ReaderShare {
    return bug()
  }
  serialize(): Iterable<Uint8Array> {
    return bug()
  }
  stats(): HeadStats {
    return bug()
  }
}

function bug(): never {
  throw new Error('BUG: nothing is stored here')
}
