/**
 * The log as a sequence of samples, for whoever reads it beside ingest: the records go through the code that replays
 * them at a start, to a head that need not be a store. Refs, dictionaries and keyframes are those of the log, so it must
 * be read from a checkpoint on, or from its beginning.
 *
 * Differs from what the head of the engine holds: samples of batches and local scrapes that it had already, or had another
 * of at the same time, are there too; the log does not say of which it was.
 */
import type { Compressor } from '../../protocol/batch/mod.ts'
import type { Clock, Logger } from '../../protocol/env/mod.ts'
import { BatchIntake } from './batches.ts'
import type { BatchCodec } from './codec.ts'
import { newCounters } from './counters.ts'
import { type HeadFactory, type LateHead, lateHead } from './head.ts'
import { LimitSight } from './limit-sight.ts'
import { LocalIntake } from './local.ts'
import { LogApplier } from './log-applier.ts'
import { RecordType } from './records.ts'
import { RemoteWriteIntake, type WriteDecoder } from './remote-write.ts'
import { SeriesRefusals } from './series-refusals.ts'
import { StartZeros } from './start-zeros.ts'

export type LogViewOptions = {
  readonly clock: Clock
  readonly log: Logger
  readonly codec: BatchCodec
  readonly compressor: Compressor
  readonly decodeWrite: WriteDecoder
  /** `restore`: of a checkpoint's snapshot; what it makes takes all that follows. */
  readonly heads: HeadFactory
  /** Of a record that cannot be read. */
  readonly onLost: (record: string, why: string) => void
}

export class LogView {
  readonly #options: LogViewOptions
  readonly #late: LateHead
  readonly #batches: BatchIntake
  readonly #remote: RemoteWriteIntake
  readonly #applier: LogApplier

  constructor(options: LogViewOptions) {
    this.#options = options
    const { clock, log, codec, compressor, decodeWrite, heads, onLost } = options
    const sight = new LimitSight(clock, log)
    this.#late = lateHead(heads, log, sight)
    const { head } = this.#late
    const counters = newCounters()
    const record = bug
    const refusals = new SeriesRefusals(record)
    const zeros = new StartZeros({ head, counters, record, reachMs: null })
    const limits = { maxFutureMs: Number.POSITIVE_INFINITY, maxSeriesPerAgent: Number.POSITIVE_INFINITY }
    this.#batches = new BatchIntake({ head, codec, log, hub: '', limits, counters, record, sight, refusals, zeros })
    const local = new LocalIntake({ head, log, counters, refusals, zeros })
    this.#remote = new RemoteWriteIntake({
      head,
      log,
      counters,
      record,
      zeros,
      compressor,
      decode: decodeWrite,
      outOfOrderWindowMs: null,
      maxFutureMs: limits.maxFutureMs,
    })
    this.#applier = new LogApplier({
      head,
      batches: this.#batches,
      local,
      remote: this.#remote,
      refusals,
      zeros,
      compressor,
      onLost,
    })
  }

  /** In the order of the log; a checkpoint's come first. @param payload borrowed */
  read(type: number, payload: Uint8Array): void {
    if (type === RecordType.head) {
      this.#late.restore(payload)
      return
    }
    this.#settle()
    try {
      this.#applier.apply(type, payload)
    } catch (error) {
      this.#options.onLost(String(type), error instanceof Error ? error.message : String(error))
    }
  }

  /** What came so far was written long ago; from here on no more is remembered than ingest does. */
  caughtUp(): void {
    this.#settle()
    this.#batches.endReplay()
  }

  #settle(): void {
    if (this.#late.settle()) this.#remote.restored()
  }
}

function bug(): never {
  throw new Error('BUG: a reader of the log writes to it')
}
