/** Builds the index of a block from its series, which come in the order of their labels. */
import type { ByteWriter } from './bytes.ts'
import { ByteWriter as Writer } from './bytes.ts'
import type { ChunkEntry } from './chunk-writer.ts'
import { SERIES_RESTART, type Section } from './index-format.ts'
import type { RunBuilder } from './run-file.ts'
import type { TimeColumnWriter } from './time-columns.ts'

/** Ids of symbols are ranks: a smaller id is a smaller string. */
export class IndexWriter {
  readonly #symbols: readonly string[]
  /** Series by series: label count, then name and value ranks. */
  #labels = new Uint32Array(1 << 14)
  #labelsUsed = 0
  readonly #chunks = new ChunkTableWriter()
  series = 0
  pairCount = 0
  symbolCount = 0

  /** @param symbols ascending; those that no series uses are left out at the end */
  constructor(symbols: readonly string[]) {
    this.#symbols = symbols
  }

  add(labelRanks: Uint32Array, entries: readonly ChunkEntry[]): void {
    const need = this.#labelsUsed + labelRanks.length + 1
    if (need > this.#labels.length) {
      const grown = new Uint32Array(Math.max(need, this.#labels.length * 2))
      grown.set(this.#labels)
      this.#labels = grown
    }
    this.#labels[this.#labelsUsed++] = labelRanks.length
    this.#labels.set(labelRanks, this.#labelsUsed)
    this.#labelsUsed += labelRanks.length
    this.series++
    this.#chunks.add(entries)
  }

  get chunkCount(): number {
    return this.#chunks.chunkCount
  }

  /** @param tiers what `TierWriter.section` gives, one for each width */
  sections(
    times: TimeColumnWriter,
    runs: readonly RunBuilder[],
    tiers: readonly Uint8Array[],
  ): Record<Section, Uint8Array> {
    const symbolIds = this.#symbolIds()
    const pairIds = this.#pairIds()
    this.pairCount = pairIds.size
    return {
      symbols: this.#writeSymbols(symbolIds),
      pairs: this.#writePairs(symbolIds, pairIds),
      ...this.#writeSeries(pairIds),
      chunks: this.#chunks.section(),
      times: writeTimes(times),
      runs: writeRuns(runs),
      tiers: joined(tiers),
    }
  }

  /** Rank to symbol id; -1 for ranks that no kept series uses. */
  #symbolIds(): Int32Array {
    const ids = new Int32Array(this.#symbols.length).fill(-1)
    this.#eachSeries((from, to) => {
      for (let i = from; i < to; i++) ids[this.#labels[i]!] = 0
    })
    this.symbolCount = 0
    for (let rank = 0; rank < ids.length; rank++) if (ids[rank] === 0) ids[rank] = this.symbolCount++
    return ids
  }

  /** Key of a pair to its id, in ascending order of keys. */
  #pairIds(): Map<number, number> {
    const keys = new Set<number>()
    this.#eachSeries((from, to) => {
      for (let i = from; i < to; i += 2) keys.add(this.#pairKey(i))
    })
    const sorted = Float64Array.from(keys).sort()
    const ids = new Map<number, number>()
    for (const key of sorted) ids.set(key, ids.size)
    return ids
  }

  #pairKey(at: number): number {
    return this.#labels[at]! * this.#symbols.length + this.#labels[at + 1]!
  }

  #eachSeries(fn: (from: number, to: number) => void): void {
    for (let at = 0; at < this.#labelsUsed; ) {
      const from = at + 1
      at = from + this.#labels[at]!
      fn(from, at)
    }
  }

  #writeSymbols(ids: Int32Array): Uint8Array {
    const out = new Writer()
    const utf8 = new TextEncoder()
    out.varint(this.symbolCount)
    for (let rank = 0; rank < ids.length; rank++) {
      if (ids[rank]! < 0) continue
      const text = this.#symbols[rank]!
      const isWhole = text.isWellFormed()
      const bytes = isWhole ? utf8.encode(text) : utf16(text)
      out.varint(2 * bytes.length + (isWhole ? 0 : 1))
      out.append(bytes)
    }
    return out.written()
  }

  #writePairs(symbolIds: Int32Array, pairIds: ReadonlyMap<number, number>): Uint8Array {
    const out = new Writer()
    const stride = this.#symbols.length
    out.varint(pairIds.size)
    let lastName = 0
    let lastValue = 0
    for (const key of pairIds.keys()) {
      const name = symbolIds[Math.floor(key / stride)]!
      const value = symbolIds[key % stride]!
      if (name !== lastName) lastValue = 0
      out.varint(name - lastName)
      out.varint(value - lastValue)
      lastName = name
      lastValue = value
    }
    return out.written()
  }

  #writeSeries(pairIds: ReadonlyMap<number, number>): { series: Uint8Array; postings: Uint8Array } {
    const out = new Writer()
    const postings: ByteWriter[] = Array.from({ length: pairIds.size })
    const lastRef = new Int32Array(pairIds.size)
    const counts = new Uint32Array(pairIds.size)
    out.varint(this.series)
    let before: number[] = []
    let ref = 0
    this.#eachSeries((from, to) => {
      const pairs: number[] = []
      for (let i = from; i < to; i += 2) pairs.push(pairIds.get(this.#pairKey(i))!)
      let shared = 0
      if (ref % SERIES_RESTART !== 0)
        while (shared < pairs.length && shared < before.length && pairs[shared] === before[shared]) shared++
      out.varint(pairs.length)
      out.varint(shared)
      // Names ascend within a series, so pair ids do.
      for (let i = shared; i < pairs.length; i++) out.varint(pairs[i]! - (i === 0 ? 0 : pairs[i - 1]!))
      for (const pair of pairs) {
        ;(postings[pair] ??= new Writer(8)).varint(ref - lastRef[pair]!)
        lastRef[pair] = ref
        counts[pair]!++
      }
      before = pairs
      ref++
    })
    const lists = new Writer()
    postings.forEach((list, pair) => {
      lists.varint(counts[pair]!)
      lists.varint(list.length)
      lists.append(list.written())
    })
    return { series: out.written(), postings: lists.written() }
  }
}

/** Places of the chunks of every series, in the order of the series. */
export class ChunkTableWriter {
  readonly #out = new Writer()
  #lastColumn = 0
  #series = 0
  chunkCount = 0

  /** Those of the next series. */
  add(entries: readonly ChunkEntry[]): void {
    this.#series++
    this.chunkCount += entries.length
    const out = this.#out
    out.varint(entries.length)
    for (const { column, from, count, payloadBytes } of entries) {
      out.zigzag(column - this.#lastColumn)
      this.#lastColumn = column
      out.varint(from)
      out.varint(count)
      out.varint(payloadBytes)
    }
  }

  section(): Uint8Array {
    const out = new Writer(this.#out.length + 16)
    out.varint(this.#series)
    out.append(this.#out.written())
    return out.written()
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Writer()
  out.varint(parts.length)
  for (const part of parts) out.append(part)
  return out.written()
}

export function writeTimes(times: TimeColumnWriter): Uint8Array {
  const out = new Writer()
  out.varint(times.counts.length)
  let lastFirst = 0
  for (let i = 0; i < times.counts.length; i++) {
    const first = times.firsts[i]!
    out.varint(times.counts[i]!)
    out.zigzag(first - lastFirst)
    out.varint(times.lasts[i]! - first)
    out.varint(times.payloadBytes[i]!)
    lastFirst = first
  }
  return out.written()
}

export function writeRuns(builders: readonly RunBuilder[]): Uint8Array {
  const out = new Writer()
  for (const { runs } of builders) {
    out.varint(runs.length)
    let end = 0
    for (const { offset, storedBytes, entries } of runs) {
      out.zigzag(offset - end)
      out.varint(storedBytes)
      out.varint(entries)
      end = offset + storedBytes
    }
  }
  return out.written()
}

function utf16(text: string): Uint8Array {
  const units = new Uint16Array(text.length)
  for (let i = 0; i < text.length; i++) units[i] = text.charCodeAt(i)
  return new Uint8Array(units.buffer)
}
