/**
 * An index in memory. Label sets and postings stay the bytes they are on disk (some 20 bytes a series) and are decoded
 * where a query looks; the places of chunks are typed arrays.
 */
import { ByteReader } from './bytes.ts'
import { SERIES_RESTART, type Section } from './index-format.ts'
import { HASH_START, hashNext, hashText } from './label-hash.ts'
import type { RunTable } from './run-file.ts'

export class BlockIndex {
  readonly symbols: readonly string[]
  /** By pair id: symbol ids of name and value. Ascending by name, then value. */
  readonly pairName: Uint32Array
  readonly pairValue: Uint32Array
  readonly seriesCount: number
  /** By pair: how many series have it. */
  readonly postingsCount: Uint32Array
  readonly chunks: ChunkTable
  readonly times: TimeTable
  readonly runs: RunTable
  readonly timeRuns: RunTable
  /** Downsampled windows, by width ascending. */
  readonly tiers: readonly TierIndex[]
  readonly #postings: Uint8Array
  readonly #postingsAt: Uint32Array
  readonly #series: Uint8Array
  readonly #restarts: Uint32Array
  readonly #ids = new Map<string, number>()
  #labelCapacity = 64
  #pairs = new Uint32Array(this.#labelCapacity)
  #restartOf = -1
  #cursor = new ByteReader(new Uint8Array(0))
  #next = 0
  #hashes: Uint32Array | null = null

  constructor(sections: Record<Section, Uint8Array>) {
    this.symbols = readSymbols(sections.symbols)
    this.symbols.forEach((text, id) => void this.#ids.set(text, id))
    const pairs = new ByteReader(sections.pairs)
    const pairCount = pairs.varint()
    this.pairName = new Uint32Array(pairCount)
    this.pairValue = new Uint32Array(pairCount)
    let name = 0
    let value = 0
    for (let i = 0; i < pairCount; i++) {
      const step = pairs.varint()
      name += step
      value = (step > 0 ? 0 : value) + pairs.varint()
      this.pairName[i] = name
      this.pairValue[i] = value
    }
    const postings = new ByteReader(sections.postings)
    this.#postings = sections.postings
    this.postingsCount = new Uint32Array(pairCount)
    this.#postingsAt = new Uint32Array(pairCount)
    for (let i = 0; i < pairCount; i++) {
      this.postingsCount[i] = postings.varint()
      const bytes = postings.varint()
      this.#postingsAt[i] = postings.at
      postings.at += bytes
    }
    this.#series = sections.series
    const series = new ByteReader(sections.series)
    this.seriesCount = series.varint()
    this.#restarts = new Uint32Array(Math.ceil(this.seriesCount / SERIES_RESTART))
    for (let ref = 0; ref < this.seriesCount; ref++) {
      if (ref % SERIES_RESTART === 0) this.#restarts[ref / SERIES_RESTART] = series.at
      const count = series.varint()
      for (let i = series.varint(); i < count; i++) series.varint()
      this.#labelCapacity = Math.max(this.#labelCapacity, count)
    }
    this.#pairs = new Uint32Array(this.#labelCapacity)
    this.times = readTimes(sections.times)
    const runs = new ByteReader(sections.runs)
    this.runs = readRuns(runs)
    this.timeRuns = readRuns(runs)
    this.chunks = readChunks(sections.chunks, this.runs)
    placeInRuns(this.times.payloadBytes, this.timeRuns, this.times)
    this.tiers = readTiers(sections.tiers)
  }

  /** -1 when no label has this text. */
  symbolId(text: string): number {
    return this.#ids.get(text) ?? -1
  }

  /** Pair ids of the series, ascending; borrowed until the next call. */
  pairsOf(ref: number): Uint32Array {
    const restart = Math.floor(ref / SERIES_RESTART)
    if (restart !== this.#restartOf || this.#next > ref) {
      this.#cursor = new ByteReader(this.#series, this.#restarts[restart]!)
      this.#restartOf = restart
      this.#next = restart * SERIES_RESTART
    }
    const pairs = this.#pairs
    let count = 0
    for (; this.#next <= ref; this.#next++) {
      count = this.#cursor.varint()
      for (let i = this.#cursor.varint(); i < count; i++)
        pairs[i] = this.#cursor.varint() + (i === 0 ? 0 : pairs[i - 1]!)
    }
    return pairs.subarray(0, count)
  }

  /** Refs of the series with the pair, ascending. */
  copyPostings(pair: number, out: Uint32Array, at: number): number {
    const bytes = this.#postings
    let pos = this.#postingsAt[pair]!
    let ref = 0
    const count = this.postingsCount[pair]!
    for (let i = 0; i < count; i++) {
      let byte = bytes[pos++]!
      let delta = byte & 0x7f
      for (let shift = 7; byte >= 0x80; shift += 7) {
        byte = bytes[pos++]!
        delta |= (byte & 0x7f) << shift
      }
      ref += delta
      out[at + i] = ref
    }
    return at + count
  }

  /** Pair ids of the name, from the first to before the last. */
  pairRange(name: number): readonly [from: number, to: number] {
    return [lowerBound(this.pairName, name), lowerBound(this.pairName, name + 1)]
  }

  /** -1 when no series has the pair. */
  findPair(name: number, value: number): number {
    const [from, to] = this.pairRange(name)
    let low = from
    let high = to
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.pairValue[middle]! < value) low = middle + 1
      else high = middle
    }
    return low < to && this.pairValue[low] === value ? low : -1
  }

  /** As `labelHash` of every other reader gives for the same labels. */
  labelHash(ref: number): number {
    this.#hashes ??= this.#hashAll()
    return this.#hashes[ref]!
  }

  #hashAll(): Uint32Array {
    const texts = Uint32Array.from(this.symbols, hashText)
    const out = new Uint32Array(this.seriesCount)
    for (let ref = 0; ref < out.length; ref++) {
      let hash = HASH_START
      for (const pair of this.pairsOf(ref))
        hash = hashNext(hashNext(hash, texts[this.pairName[pair]!]!), texts[this.pairValue[pair]!]!)
      out[ref] = hash
    }
    return out
  }
}

/** Chunks in the order of their series. */
export type ChunkTable = {
  /** By series, and the number of chunks at the end. */
  readonly first: Uint32Array
  /** Time column, and the position in it of the chunk's first time. */
  readonly column: Uint32Array
  readonly from: Uint32Array
  readonly samples: Uint32Array
  readonly run: Uint32Array
  /** In the raw bytes of the run. */
  readonly offset: Uint32Array
}

export type TimeTable = {
  readonly count: Uint32Array
  readonly firstTime: Float64Array
  readonly lastTime: Float64Array
  readonly payloadBytes: Uint32Array
  readonly run: Uint32Array
  readonly offset: Uint32Array
}

/** Places of the rows of one width; `chunks.samples` counts rows. */
export type TierIndex = {
  readonly width: number
  readonly chunks: ChunkTable
  readonly times: TimeTable
  readonly runs: RunTable
  readonly timeRuns: RunTable
}

function readTiers(bytes: Uint8Array): TierIndex[] {
  const reader = new ByteReader(bytes)
  const tiers = Array.from({ length: reader.varint() }, () => {
    const width = reader.varint()
    const [chunkBytes, timeBytes, runBytes] = [0, 1, 2].map(() => reader.take(reader.varint()))
    const times = readTimes(timeBytes!)
    const ofRuns = new ByteReader(runBytes!)
    const runs = readRuns(ofRuns)
    const timeRuns = readRuns(ofRuns)
    placeInRuns(times.payloadBytes, timeRuns, times)
    return { width, chunks: readChunks(chunkBytes!, runs), times, runs, timeRuns }
  })
  return tiers.sort((a, b) => a.width - b.width)
}

function readChunks(bytes: Uint8Array, runs: RunTable): ChunkTable {
  const reader = new ByteReader(bytes)
  const series = reader.varint()
  const total = runs.firstEntry[runs.count]!
  const table = {
    first: new Uint32Array(series + 1),
    column: new Uint32Array(total),
    from: new Uint32Array(total),
    samples: new Uint32Array(total),
    run: new Uint32Array(total),
    offset: new Uint32Array(total),
  }
  const payloadBytes = new Uint32Array(total)
  let chunk = 0
  let column = 0
  for (let ref = 0; ref < series; ref++) {
    table.first[ref] = chunk
    for (let n = reader.varint(); n > 0; n--, chunk++) {
      column += reader.zigzag()
      table.column[chunk] = column
      table.from[chunk] = reader.varint()
      table.samples[chunk] = reader.varint()
      payloadBytes[chunk] = reader.varint()
    }
  }
  table.first[series] = chunk
  placeInRuns(payloadBytes, runs, table)
  return table
}

function readTimes(bytes: Uint8Array): TimeTable {
  const reader = new ByteReader(bytes)
  const n = reader.varint()
  const table = {
    count: new Uint32Array(n),
    firstTime: new Float64Array(n),
    lastTime: new Float64Array(n),
    payloadBytes: new Uint32Array(n),
    run: new Uint32Array(n),
    offset: new Uint32Array(n),
  }
  let first = 0
  for (let i = 0; i < n; i++) {
    table.count[i] = reader.varint()
    first += reader.zigzag()
    table.firstTime[i] = first
    table.lastTime[i] = first + reader.varint()
    table.payloadBytes[i] = reader.varint()
  }
  return table
}

function readRuns(reader: ByteReader): RunTable {
  const count = reader.varint()
  const table = {
    count,
    offsets: new Float64Array(count),
    storedBytes: new Uint32Array(count),
    firstEntry: new Uint32Array(count + 1),
  }
  let end = 0
  for (let run = 0; run < count; run++) {
    table.offsets[run] = end + reader.zigzag()
    table.storedBytes[run] = reader.varint()
    table.firstEntry[run + 1] = table.firstEntry[run]! + reader.varint()
    end = table.offsets[run]! + table.storedBytes[run]!
  }
  return table
}

function placeInRuns(payloadBytes: Uint32Array, runs: RunTable, out: { run: Uint32Array; offset: Uint32Array }): void {
  for (let run = 0; run < runs.count; run++) {
    let offset = 0
    for (let entry = runs.firstEntry[run]!; entry < runs.firstEntry[run + 1]!; entry++) {
      out.run[entry] = run
      out.offset[entry] = offset
      offset += payloadBytes[entry]!
    }
  }
}

function readSymbols(bytes: Uint8Array): string[] {
  const reader = new ByteReader(bytes)
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
  return Array.from({ length: reader.varint() }, () => {
    const head = reader.varint()
    const part = reader.take(head >>> 1)
    if ((head & 1) === 0) return utf8.decode(part)
    let text = ''
    for (let i = 0; i < part.length; i += 2) text += String.fromCharCode(part[i]! | (part[i + 1]! << 8))
    return text
  })
}

function lowerBound(sorted: Uint32Array, wanted: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! < wanted) low = middle + 1
    else high = middle
  }
  return low
}
