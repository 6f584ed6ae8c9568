/** The plainest head there can be: the oracle of the tests, and the same contract as the real one. */
import type { Labels } from '../../../protocol/labels/mod.ts'
import { labelsKey } from '../../../protocol/labels/mod.ts'
import type { Exemplar, Histogram, Metadata } from '../../../protocol/samples/mod.ts'
import { AppendResult, type ReaderShare } from '../../tsdb/contract.ts'
import type { HeadStats } from '../../tsdb/head-contract.ts'
import type { HeadFactory, HeadRestorer, IngestHead } from '../thread_mod.ts'

export class MemoryHead implements IngestHead {
  readonly refs = new Map<string, number>()
  /** By ref, then time: the sample as text, the bits of its float included. */
  readonly samples: Map<number, string>[] = []
  readonly families = new Map<string, Metadata>()
  readonly exemplars: [number, Exemplar][] = []
  readonly #dead = new Set<number>()
  maxSeries = Number.POSITIVE_INFINITY
  hasLimits = true
  published = 0
  logLife = 0
  pages = 1

  series(labels: Labels): number {
    const key = labelsKey(labels)
    const known = this.refs.get(key)
    if (known !== undefined) return known
    if (this.hasLimits && this.refs.size >= this.maxSeries) return -1
    const ref = this.samples.length
    this.refs.set(key, ref)
    this.samples.push(new Map())
    return ref
  }

  find(labels: Labels): number {
    return this.refs.get(labelsKey(labels)) ?? -1
  }

  setMetadata(family: string, metadata: Metadata): void {
    this.families.set(family, metadata)
  }

  appendColumn(timestampMs: number, refs: Uint32Array, values: Float64Array, n: number): number {
    let stored = 0
    for (let i = 0; i < n; i++)
      if (this.appendFloat(refs[i]!, timestampMs, values, i, 0) === AppendResult.stored) stored++
    return stored
  }

  appendRun(
    timestampMs: number,
    refs: Uint32Array,
    values: Float64Array,
    from: number,
    n: number,
    results: Uint8Array,
  ): number {
    let stored = 0
    for (let i = from; i < from + n; i++) {
      results[i] = this.appendFloat(refs[i]!, timestampMs, values, i, 0)
      if (results[i] === AppendResult.stored) stored++
    }
    return stored
  }

  appendFloat(ref: number, timestampMs: number, values: Float64Array, at: number, startMs: number): AppendResult {
    const words = new Uint32Array(values.buffer, values.byteOffset + 8 * at, 2)
    return this.#append(ref, timestampMs, `${words[1]!.toString(16)}:${words[0]!.toString(16)}@${startMs}`)
  }

  appendHistogram(ref: number, timestampMs: number, histogram: Histogram, startMs: number): AppendResult {
    return this.#append(ref, timestampMs, `${JSON.stringify(histogram)}@${startMs}`)
  }

  appendExemplar(ref: number, exemplar: Exemplar): void {
    this.exemplars.push([ref, exemplar])
  }

  publish(): void {
    this.published++
  }

  share(): ReaderShare {
    return {
      control: new SharedArrayBuffer(8),
      pages: Array.from({ length: this.pages }, () => new SharedArrayBuffer(8)),
    }
  }

  *serialize(): Generator<Uint8Array> {
    const state = [[...this.refs], this.samples.map((samples) => [...samples]), [...this.families], this.logLife]
    const bytes = new TextEncoder().encode(JSON.stringify(state))
    for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000)
  }

  trim(minTime: number): number {
    let removed = 0
    for (const [key, ref] of this.refs) {
      const samples = this.samples[ref]!
      for (const time of samples.keys()) if (time < minTime) samples.delete(time)
      if (samples.size > 0) continue
      this.refs.delete(key)
      this.#dead.add(ref)
      removed++
    }
    return removed
  }

  readonly #late: [ref: number, time: number][] = []
  #closed = Number.NEGATIVE_INFINITY

  closeBefore(maxTime: number): number {
    this.#closed = Math.max(this.#closed, maxTime)
    this.#late.length = 0
    return this.#closed
  }

  evict(): number {
    const late = new Set(this.#late.map(([ref, time]) => `${ref}/${time}`))
    let removed = 0
    for (const [key, ref] of this.refs) {
      const samples = this.samples[ref]!
      for (const time of samples.keys()) if (time < this.#closed && !late.has(`${ref}/${time}`)) samples.delete(time)
      if (samples.size > 0) continue
      this.refs.delete(key)
      this.#dead.add(ref)
      removed++
    }
    return removed
  }

  isAlmostFull = false
  readonly memory = { usedBytes: 0, limitBytes: 1, failures: 0 }
  readonly refusedBy = 'series' as const

  lastTime(ref: number): number {
    return Math.max(Number.NEGATIVE_INFINITY, ...this.samples[ref]!.keys())
  }

  storedAt(ref: number, timestampMs: number): number | 'histogram' | null {
    const sample = this.samples[ref]?.get(timestampMs)
    if (sample === undefined) return null
    const bits = /^([0-9a-f]+):([0-9a-f]+)@/.exec(sample)
    if (bits === null) return 'histogram'
    return new Float64Array(Uint32Array.of(Number.parseInt(bits[2]!, 16), Number.parseInt(bits[1]!, 16)).buffer)[0]!
  }

  get maxTime(): number {
    return Math.max(Number.NEGATIVE_INFINITY, ...this.samples.flatMap((samples) => [...samples.keys()]))
  }

  get minValidTime(): number {
    return this.#closed
  }

  get refLimit(): number {
    return this.samples.length
  }

  isLive(ref: number): boolean {
    return !this.#dead.has(ref)
  }

  stats(): HeadStats {
    const drops: HeadStats['drops'] = {
      duplicates: 0,
      conflicting: 0,
      tooOld: 0,
      unknownSeries: 0,
      memoryLimit: 0,
      seriesLimit: 0,
      labelLimit: 0,
      exemplars: 0,
      metadata: 0,
    }
    return {
      series: this.refs.size,
      seriesCreated: this.samples.length,
      seriesRemoved: this.#dead.size,
      symbols: 0,
      labelPairs: 0,
      groups: 0,
      chunks: 0,
      chunksCreated: 0,
      exemplars: this.exemplars.length,
      exemplarsAppended: this.exemplars.length,
      exemplarSlots: Number.POSITIVE_INFINITY,
      exemplarSeries: new Set(this.exemplars.map(([ref]) => ref)).size,
      oldestExemplarMs: this.exemplars[0]?.[1].timestampMs ?? null,
      samplesAppended: this.samples.reduce((sum, { size }) => sum + size, 0),
      histogramsAppended: 0,
      lateSamples: 0,
      pageBytes: 0,
      maxBytes: 1,
      usedBytes: 0,
      chunkPayloadBytes: 0,
      activeReaders: 0,
      limbo: 0,
      drops,
    }
  }

  static restore(pieces: readonly Uint8Array[]): MemoryHead {
    const [refs, samples, families, logLife] = JSON.parse(new TextDecoder().decode(Buffer.concat(pieces)))
    const head = new MemoryHead()
    head.logLife = logLife
    for (const [key, ref] of refs) head.refs.set(key, ref)
    for (const each of samples) head.samples.push(new Map(each))
    for (const [family, metadata] of families) head.families.set(family, metadata)
    return head
  }

  #append(ref: number, timestampMs: number, sample: string): AppendResult {
    if (this.#dead.has(ref)) throw new Error(`BUG: a sample for ref ${ref}, which is gone`)
    const samples = this.samples[ref]!
    const known = samples.get(timestampMs)
    if (known !== undefined) return known === sample ? AppendResult.duplicate : AppendResult.conflicting
    samples.set(timestampMs, sample)
    if (timestampMs < this.#closed) this.#late.push([ref, timestampMs])
    return AppendResult.stored
  }

  /** Everything, by labels and sorted: equal heads give equal values. */
  dump(): [labels: string, samples: [number, string][]][] {
    return [...this.refs]
      .map(
        ([key, ref]) =>
          [key.replaceAll('\xff', ','), [...this.samples[ref]!].sort(([a], [b]) => a - b)] as [
            string,
            [number, string][],
          ],
      )
      .filter(([, samples]) => samples.length > 0)
      .sort(([a], [b]) => (a < b ? -1 : 1))
  }
}

/** Remembers the head that it made last. */
export class MemoryHeads implements HeadFactory {
  last = new MemoryHead()
  maxSeries = Number.POSITIVE_INFINITY

  create(): MemoryHead {
    this.last = new MemoryHead()
    this.last.maxSeries = this.maxSeries
    return this.last
  }

  restore(): HeadRestorer {
    const pieces: Uint8Array[] = []
    return {
      push: (piece) => void pieces.push(piece.slice()),
      finish: () => {
        this.last = MemoryHead.restore(pieces)
        return this.last
      },
    }
  }
}
