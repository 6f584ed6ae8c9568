/**
 * Stops acknowledgements before the disk is full, and lets them go on once there is room again, without hands.
 * `statfs` is asked on a timer; between two answers the bytes written since are taken off the last one.
 */
import type { Clock, Disk, Logger, Timer } from '../../protocol/env/mod.ts'

export type ReserveOptions = {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Logger
  readonly directory: string
  /** Free bytes below which nothing is acknowledged: two segments or more. */
  readonly reserveBytes: number
  readonly pollMs?: number
  /** Called after each answer that there is no room: may make some. */
  readonly makeRoom?: () => void
}

export class DiskReserve {
  readonly #options: ReserveOptions
  /** Infinity until the first answer: a file system without `statfs` has no reserve, and ENOSPC is handled anyway. */
  #availableBytes = Number.POSITIVE_INFINITY
  #writtenSince = 0
  #full = false
  #timer: Timer | null = null
  #closed = false

  constructor(options: ReserveOptions) {
    this.#options = options
  }

  /** Resolves after the first answer. */
  async start(): Promise<void> {
    await this.#poll()
  }

  get isFull(): boolean {
    return this.#full
  }

  get availableBytes(): number {
    return this.#availableBytes - this.#writtenSince
  }

  /** To be called after each commit with the bytes written. */
  wrote(bytes: number): void {
    this.#writtenSince += bytes
    this.#judge()
  }

  /** A write found no room whatever `statfs` said. */
  sawFull(): void {
    this.#availableBytes = 0
    this.#judge()
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  async #poll(): Promise<void> {
    const { disk, directory, clock, log, pollMs = 1000 } = this.#options
    const before = this.#writtenSince
    try {
      const stat = await disk.statfs(directory)
      this.#availableBytes = stat.blocksAvailable * stat.blockSizeBytes
      // What was written while the answer was on its way may or may not be in it: assume that it is not.
      this.#writtenSince -= before
      this.#judge()
    } catch (error) {
      log.warn('Cannot ask for the free space of the data directory', { directory, error: String(error) })
    }
    if (this.#full && !this.#closed) this.#makeRoom()
    if (!this.#closed) this.#timer = clock.setTimer(pollMs, () => void this.#poll(), { unref: true })
  }

  #makeRoom(): void {
    const { log, directory, makeRoom } = this.#options
    try {
      makeRoom?.()
    } catch (err) {
      log.warn('Cannot remove files that are needed no more', { directory, err })
    }
  }

  #judge(): void {
    const { log, directory, reserveBytes } = this.#options
    const available = this.availableBytes
    // A quarter more is asked before going on, so that the state does not flap at the border.
    const full = available < (this.#full ? reserveBytes * 1.25 : reserveBytes)
    if (full === this.#full) return
    this.#full = full
    if (full)
      log.error('Disk is almost full: samples are no longer acknowledged', { directory, available, reserveBytes })
    else log.info('Disk has room again: samples are acknowledged', { directory, available })
  }
}
