/** Whether there is room for anything that would be acknowledged: on the disk, and in memory until blocks are cut. */
import type { Clock, Logger } from '../../protocol/env/mod.ts'
import type { DiskReserve } from '../wal/mod.ts'
import type { IngestHead } from './head.ts'

export type Lack = 'disk_full' | 'memory_full'

/** As senders are told. */
export const LACKS: Readonly<Record<Lack, string>> = {
  disk_full: 'disk is almost full: nothing is accepted until space is freed',
  memory_full: 'memory for recent samples is almost full: nothing is accepted until they are cut into blocks',
}

const LOG_EVERY_MS = 60_000

export type RoomOptions = {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly log: Logger
  readonly head: Pick<IngestHead, 'isAlmostFull' | 'stats'>
  /** Tells the log about the disk by itself. */
  readonly reserve: Pick<DiskReserve, 'isFull'>
}

export class Room {
  readonly #options: RoomOptions
  #loggedMs = Number.NEGATIVE_INFINITY

  constructor(options: RoomOptions) {
    this.#options = options
  }

  /** Null: there is room. To be asked before anything is accepted. */
  lack(): Lack | null {
    const { head, reserve } = this.#options
    if (reserve.isFull) return 'disk_full'
    if (!head.isAlmostFull) return null
    this.#tell()
    return 'memory_full'
  }

  /** Once a minute while something is refused for it. */
  #tell(): void {
    const { clock, head, log } = this.#options
    const now = clock.monotonic()
    if (now - this.#loggedMs < LOG_EVERY_MS) return
    this.#loggedMs = now
    const { usedBytes, series } = head.stats()
    log.error('Memory for recent samples is almost full: samples are not acknowledged until blocks were cut', {
      usedBytes,
      series,
    })
  }
}
