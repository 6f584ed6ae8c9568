/**
 * Which series the head's limits refused when a batch, a local scrape or rules' results came. Limits are lifted while the
 * log is replayed, so the log must say it: a record of its own goes before the one that it is about, and names it by
 * its CRC32C, so that damage to either cannot lay the refusals upon another. Remote writes log it by themselves
 * (row-log.ts, refusals.ts).
 *
 *     refused   CBOR { of: CRC32C of the payload of the record that follows, series: positions among its definitions }
 */
import { crc32c } from '../../protocol/crc/mod.ts'
import { fromCbor, RecordType, toCbor } from './records.ts'

type Refused = { readonly of: number; readonly series: readonly number[] }

const NONE: ReadonlySet<number> = new Set()

export class SeriesRefusals {
  readonly #record: (type: number, parts: readonly Uint8Array[]) => void
  #noted: number[] = []
  #read: { readonly of: number; readonly series: ReadonlySet<number> } | null = null
  #replayed = NONE

  constructor(record: (type: number, parts: readonly Uint8Array[]) => void) {
    this.#record = record
  }

  /** The head has refused the series at this position of what is being applied. */
  note(position: number): void {
    this.#noted.push(position)
  }

  /** What it was noted of is not stored after all, and not logged. */
  forget(): void {
    this.#noted = []
  }

  /** Logs what was noted, before the record with this payload is. */
  logBefore(...payload: readonly Uint8Array[]): void {
    if (this.#noted.length === 0) return
    const refused: Refused = { of: crcOf(payload), series: this.#noted }
    this.#noted = []
    this.#record(RecordType.refused, [toCbor(refused)])
  }

  /** Such a record of the log again. */
  read(payload: Uint8Array): void {
    const { of, series } = fromCbor<Refused>(payload)
    this.#read = { of, series: new Set(series) }
  }

  /** A record of the log is about to be applied again. */
  replay(payload: Uint8Array): void {
    this.#noted = []
    this.#replayed = this.#read !== null && this.#read.of === crcOf([payload]) ? this.#read.series : NONE
  }

  /** Whether what is being replayed had its series at this position refused. */
  has(position: number): boolean {
    return this.#replayed.has(position)
  }

  endReplay(): void {
    this.#noted = []
    this.#read = null
    this.#replayed = NONE
  }
}

const crcOf = (parts: readonly Uint8Array[]): number =>
  parts.reduce((crc, part) => crc32c(part, 0, part.length, crc), 0)
