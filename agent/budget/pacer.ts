/**
 * What may leave and when: a byte rate with a short burst, and a cap for each day in UTC that a restart does not
 * forget. It only holds back; what waits is in the ring. The burst is free at the start, too: a restart may send up to
 * BURST_SECONDS of the rate (BURST_BYTES_MIN at least) before it is held to it.
 */
import type { Clock, Disk, Logger } from '../../protocol/env/mod.ts'

export type PacerOptions = {
  readonly clock: Clock
  readonly disk: Pick<Disk, 'readText' | 'stat' | 'writeFileAtomic'>
  readonly log: Logger
  /** Where the day's use is kept. */
  readonly file: string
  /** 0 = no limit, both. */
  readonly bytesPerSecond: number
  readonly bytesPerDay: number
}

export const DAY_MS = 86_400_000
/** Seconds of rate that may leave at once, and at least one large batch. */
const BURST_SECONDS = 10
const BURST_BYTES_MIN = 65_536
/** The use is saved each time so much has left, and when asked to. */
const SAVE_EVERY_BYTES = 65_536

export class Pacer {
  readonly #options: PacerOptions
  #paidAt = Number.NEGATIVE_INFINITY
  #day: number
  #usedToday = 0
  #unsaved = 0
  total = 0

  constructor(options: PacerOptions) {
    this.#options = options
    this.#day = dayOf(options.clock.now())
    this.#load()
  }

  get usedToday(): number {
    this.#turn()
    return this.#usedToday
  }

  /** Bytes a second that may be made now without running out: the rate, or what the day still has, spread over its rest. */
  get allowedBytesPerSecond(): number {
    const { clock, bytesPerDay, bytesPerSecond } = this.#options
    let allowed = bytesPerSecond > 0 ? bytesPerSecond : Number.POSITIVE_INFINITY
    if (bytesPerDay > 0) {
      const restMs = DAY_MS - (clock.now() % DAY_MS)
      allowed = Math.min(allowed, (1000 * Math.max(0, bytesPerDay - this.usedToday)) / restMs)
    }
    return allowed
  }

  /** Monotonic time from which something may be sent. */
  readyAt(): number {
    const { clock, bytesPerDay, bytesPerSecond } = this.#options
    const now = clock.monotonic()
    if (bytesPerDay > 0 && this.usedToday >= bytesPerDay) return now + DAY_MS - (clock.now() % DAY_MS)
    if (bytesPerSecond <= 0) return now
    const burstMs = (1000 * Math.max(BURST_BYTES_MIN, BURST_SECONDS * bytesPerSecond)) / bytesPerSecond
    return this.#paidAt - burstMs
  }

  spend(bytes: number): void {
    const { clock, bytesPerSecond } = this.#options
    this.#turn()
    this.total += bytes
    this.#usedToday += bytes
    this.#unsaved += bytes
    if (bytesPerSecond > 0) this.#paidAt = Math.max(clock.monotonic(), this.#paidAt) + (1000 * bytes) / bytesPerSecond
    if (this.#unsaved >= SAVE_EVERY_BYTES) this.save()
  }

  /** A disk that refuses it costs exactness after a restart, nothing else. */
  save(): void {
    const { disk, file, log, bytesPerDay } = this.#options
    if (bytesPerDay <= 0 || this.#unsaved === 0) return
    this.#unsaved = 0
    try {
      disk.writeFileAtomic(file, `${JSON.stringify({ day: this.#day, bytes: this.#usedToday })}\n`, { mode: 0o600 })
    } catch (err) {
      log.warn('Cannot save the use of the daily budget; a restart would forget it', { file, err })
    }
  }

  #turn(): void {
    const today = dayOf(this.#options.clock.now())
    if (today <= this.#day) return
    this.#day = today
    this.#usedToday = 0
  }

  #load(): void {
    const { disk, file, log, bytesPerDay } = this.#options
    if (bytesPerDay <= 0 || disk.stat(file) === null) return
    try {
      const { day, bytes } = JSON.parse(disk.readText(file)) as { day?: unknown; bytes?: unknown }
      if (day === this.#day && typeof bytes === 'number' && bytes >= 0) this.#usedToday = bytes
    } catch (err) {
      log.warn('Cannot read the use of the daily budget; it is counted anew', { file, err })
    }
  }
}

const dayOf = (ms: number): number => Math.floor(ms / DAY_MS)
