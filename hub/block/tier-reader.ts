/** Reader's side of the downsampled windows of a block. Damaged runs are set aside as those of samples are. */
import {
  type AggregateBuffer,
  clearRows,
  ensureRows,
  type SeriesRef,
  type StoredAggregates,
  type TimeRange,
} from '../tsdb/mod.ts'
import { decodeRows, neededColumns } from './aggregate-chunk.ts'
import { ByteReader } from './bytes.ts'
import { decodeColumn } from './column.ts'
import type { TierIndex } from './index-reader.ts'
import type { RunTable } from './run-file.ts'

/** The inflated run of this name, null when it is damaged. */
export type ReadRun = (name: string, table: RunTable, run: number) => Uint8Array | null
/** What has been decoded, by name, from the cache of the thread. */
export type Remember = <T>(name: string, make: () => T, sizeOf: (value: T) => number) => T

export class TierReader implements StoredAggregates {
  readonly #tiers: readonly TierIndex[]
  readonly #widths: readonly number[]
  readonly #readRun: ReadRun
  readonly #remember: Remember
  readonly #goneBefore: number

  constructor(
    tiers: readonly TierIndex[],
    goneBefore: number,
    { readRun, remember }: { readRun: ReadRun; remember: Remember },
  ) {
    this.#tiers = tiers
    this.#widths = tiers.map(({ width }) => width)
    this.#goneBefore = goneBefore
    this.#readRun = readRun
    this.#remember = remember
  }

  /** As far as nothing is hidden. */
  widths(): readonly number[] {
    return this.#widths
  }

  allWidths(): readonly number[] {
    return this.#widths
  }

  goneBefore(): number {
    return this.#goneBefore
  }

  mayHave(ref: SeriesRef, range: TimeRange): boolean {
    return this.#tiers.some(({ chunks, times, width }) => {
      for (let chunk = chunks.first[ref]!; chunk < chunks.first[ref + 1]!; chunk++) {
        const column = chunks.column[chunk]!
        if (times.lastTime[column]! >= range.minTime) return times.firstTime[column]! - width < range.maxTime
      }
      return false
    })
  }

  read(ref: SeriesRef, range: TimeRange, width: number, columns: number, out: AggregateBuffer): boolean {
    clearRows(out)
    const tier = this.#tiers.find((each) => each.width === width)
    if (tier === undefined) return true
    const { chunks, times } = tier
    const needed = neededColumns(columns)
    let isWhole = true
    for (let chunk = chunks.first[ref]!; chunk < chunks.first[ref + 1]!; chunk++) {
      const column = chunks.column[chunk]!
      if (times.lastTime[column]! < range.minTime) continue
      if (times.firstTime[column]! > range.maxTime) break
      isWhole = this.#readChunk(tier, chunk, range, needed, out) && isWhole
    }
    return isWhole
  }

  #readChunk(tier: TierIndex, chunk: number, range: TimeRange, columns: number, out: AggregateBuffer): boolean {
    const { chunks, runs, width } = tier
    const ends = this.#timesOf(tier, chunks.column[chunk]!)
    const run = chunks.run[chunk]!
    const bytes = ends === null ? null : this.#readRun(`a${width}-${run}`, runs, run)
    if (ends === null || bytes === null) return false
    const n = chunks.samples[chunk]!
    const first = chunks.from[chunk]!
    const base = out.count
    ensureRows(out, base + n)
    out.times.set(ends.subarray(first, first + n), base)
    out.widths.fill(width, base, base + n)
    decodeRows(new ByteReader(bytes, chunks.offset[chunk]!), n, columns, out)
    let from = 0
    while (from < n && out.times[base + from]! < range.minTime) from++
    let to = n
    while (to > from && out.times[base + to - 1]! > range.maxTime) to--
    if (from > 0) shiftRows(out, base, from, to)
    if (out.histograms !== null) out.histograms.length = Math.min(out.histograms.length, base + to - from)
    out.count = base + to - from
    return true
  }

  /** Null when its run is damaged. */
  #timesOf({ width, times, timeRuns }: TierIndex, column: number): Float64Array | null {
    const run = times.run[column]!
    const decode = (): readonly Float64Array[] => {
      const bytes = this.#readRun(`b${width}-${run}`, timeRuns, run)
      if (bytes === null) return []
      const columns: Float64Array[] = []
      for (let i = timeRuns.firstEntry[run]!; i < timeRuns.firstEntry[run + 1]!; i++) {
        const decoded = new Float64Array(times.count[i]!)
        const words = new Uint32Array(decoded.buffer)
        decodeColumn(new ByteReader(bytes, times.offset[i]!), decoded.length, decoded, words, 0)
        columns.push(decoded)
      }
      return columns
    }
    const columns = this.#remember(`e${width}-${run}`, decode, (all) =>
      all.reduce((sum, each) => sum + each.byteLength, 64),
    )
    return columns[column - timeRuns.firstEntry[run]!] ?? null
  }
}

/** Rows [base + from, base + to) to `base`. */
function shiftRows(out: AggregateBuffer, base: number, from: number, to: number): void {
  for (const column of [out.times, out.widths, ...out.columns]) column.copyWithin(base, base + from, base + to)
  if (out.histograms === null) return
  out.histograms.length = Math.max(out.histograms.length, base + to)
  out.histograms.copyWithin(base, base + from, base + to)
}
