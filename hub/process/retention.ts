/** Retention: once a minute what is older than the limits is removed from head and log. */

import type { Clock, Logger, Timer } from '../../protocol/env/mod.ts'
import type { RetentionLimits } from '../block/mod.ts'
import type { Ingest } from '../ingest/mod.ts'
import { openReader } from '../tsdb/mod.ts'

export type RetentionOptions = {
  readonly clock: Clock
  readonly log: Logger
  readonly ingest: Pick<Ingest, 'share' | 'status' | 'trim' | 'checkpoint'>
  readonly limits: () => RetentionLimits
  /** While there are blocks, they go first where the size is concerned. */
  readonly hasBlocks: () => boolean
}

const EVERY_MS = 60_000
/** Of the stored time range, removed per round while the directory is too large. */
const SHARE = 0.1

export class Retention {
  readonly #options: RetentionOptions
  #timer: Timer | null = null

  constructor(options: RetentionOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = this.#options.clock.setTimer(EVERY_MS, () => void this.#round(), { unref: true })
  }

  stop(): void {
    this.#timer?.cancel()
  }

  async #round(): Promise<void> {
    const { clock, hasBlocks, ingest, limits, log } = this.#options
    try {
      const { timeMs, sizeBytes } = limits()
      const reader = openReader(ingest.share())
      const span = reader.timeRange()
      reader.release()
      if (span) {
        // From the newest sample, as upstream: a clock that jumps ahead must not remove anything.
        const nowMs = Math.min(clock.now(), span.maxTime)
        let minTimeMs = timeMs > 0 ? nowMs - timeMs : Number.NEGATIVE_INFINITY
        // What is not the log is small while there are no blocks.
        const usedBytes = sizeBytes > 0 && !hasBlocks() ? (await ingest.status()).wal.sizeBytes : 0
        if (usedBytes > sizeBytes) minTimeMs = Math.max(minTimeMs, span.minTime + SHARE * (span.maxTime - span.minTime))
        if (minTimeMs > span.minTime) {
          ingest.trim(Math.floor(minTimeMs))
          // The log shrinks only when a checkpoint without the removed samples stands in for it.
          if (usedBytes > sizeBytes) await ingest.checkpoint()
          log.info('Removed samples beyond retention', {
            before: new Date(minTimeMs).toISOString(),
            usedBytes,
            sizeBytes,
          })
        }
      }
    } catch (err) {
      log.error('Retention failed; it is tried again', { err })
    }
    this.start()
  }
}
