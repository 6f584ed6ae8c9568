/** The head as ingest needs it: one writer, a share for readers, and its snapshot for checkpoints. */
import type { Logger } from '../../protocol/env/mod.ts'
import { type Labels, labelValue, METRIC_NAME } from '../../protocol/labels/mod.ts'
import type { Appender, ReaderShare, SeriesRef } from '../tsdb/contract.ts'
import type { HeadMemory, HeadStats, SeriesLimit } from '../tsdb/head-contract.ts'
import type { Copied } from '../tsdb/mod.ts'
import type { LimitSight } from './limit-sight.ts'
import type { Stored } from './refusal-texts.ts'

export interface IngestHead extends Appender {
  share(): ReaderShare
  /** The snapshot in pieces, or what `copied` lacks of it; nothing may be appended until it is drained. */
  serialize(copied?: Copied): Iterable<Uint8Array>
  /**
   * Retention; returns how many series were removed. Their refs are void (`unknownSeries`), and never mean another
   * series while the process lives: row-log.ts defines an id once a life, and would put samples into the wrong series.
   */
  trim(minTime: number): number
  /** Blocks are about to be cut of all before the time that it returns. */
  closeBefore(maxTime: number): number
  /** They are on disk: what they hold is forgotten. Returns how many series were removed, as `trim`. */
  evict(): number
  isLive(ref: SeriesRef): boolean
  /**
   * False while the log is replayed: what was acknowledged under other limits must not meet those of today, nor be
   * counted against series that retention had removed by then. Nor must the cap of memory take any of it.
   */
  hasLimits: boolean
  /** Memory is so near its cap that nothing more should be accepted before blocks were cut. */
  readonly isAlmostFull: boolean
  readonly memory: HeadMemory
  /** As `series()`, of a series that there is; else -1. */
  find(labels: Labels): SeriesRef
  /** Why the last `series()` that returned -1 did so. */
  readonly refusedBy: SeriesLimit
  /** Of the newest sample of the series, or of all; -Infinity when there is none. */
  lastTime(ref: SeriesRef): number
  /** What the series has at the time: to be asked for a sample that contradicts it. */
  storedAt(ref: SeriesRef, timestampMs: number): Stored
  readonly maxTime: number
  /** What is older is late, as its time is in blocks or about to be, or refused; -Infinity when nothing is. */
  readonly minValidTime: number
  /** All refs that were ever given out are below it. */
  readonly refLimit: number
  /** Whose refs they are: see row-log.ts. A snapshot carries it on; 0 at first. */
  logLife: number
  stats(): HeadStats
}

export type HeadFactory = {
  create(): IngestHead
  restore(): HeadRestorer
}

/** Refs stay what they were when the snapshot was taken. Both throw for a snapshot that is damaged or incomplete. */
export interface HeadRestorer {
  /** The pieces in order, each borrowed until it returns. */
  push(piece: Uint8Array): void
  finish(): IngestHead
}

/** A head that exists once replay knows whether the log begins with a snapshot; without limits at first. */
export type LateHead = {
  readonly head: IngestHead
  /** A piece of the snapshot, borrowed. Pieces that come after `settle` are of no use any more. */
  readonly restore: (piece: Uint8Array) => void
  /** There are no more pieces. True when that was news. */
  readonly settle: () => boolean
  /** The snapshot proved damaged: another one follows, or none. */
  readonly startOver: () => void
}

/** @param sight hears of every series that a limit of the head refuses, whoever sent it */
export function lateHead(heads: HeadFactory, log: Logger, sight: LimitSight): LateHead {
  let restorer: HeadRestorer | null = null
  let failure: unknown = null
  let inner: IngestHead | null = null
  const it = (): IngestHead => inner ?? bug()
  const head: IngestHead = {
    series: (labels) => {
      const ref = it().series(labels)
      if (ref < 0) noteRefused(sight, it().refusedBy, labels)
      return ref
    },
    find: (labels) => it().find(labels),
    setMetadata: (family, metadata) => it().setMetadata(family, metadata),
    appendColumn: (timestampMs, refs, values, n) => it().appendColumn(timestampMs, refs, values, n),
    appendRun: (timestampMs, refs, values, from, n, results) =>
      it().appendRun(timestampMs, refs, values, from, n, results),
    appendFloat: (ref, timestampMs, values, at, startMs) => it().appendFloat(ref, timestampMs, values, at, startMs),
    appendHistogram: (ref, timestampMs, histogram, startMs) =>
      it().appendHistogram(ref, timestampMs, histogram, startMs),
    appendExemplar: (ref, exemplar) => it().appendExemplar(ref, exemplar),
    publish: () => it().publish(),
    share: () => it().share(),
    serialize: (copied) => it().serialize(copied),
    trim: (minTime) => it().trim(minTime),
    closeBefore: (maxTime) => it().closeBefore(maxTime),
    evict: () => it().evict(),
    isLive: (ref) => it().isLive(ref),
    get hasLimits() {
      return it().hasLimits
    },
    set hasLimits(has) {
      it().hasLimits = has
    },
    get isAlmostFull() {
      return it().isAlmostFull
    },
    get memory() {
      return it().memory
    },
    get refusedBy() {
      return it().refusedBy
    },
    lastTime: (ref) => it().lastTime(ref),
    storedAt: (ref, timestampMs) => it().storedAt(ref, timestampMs),
    get maxTime() {
      return it().maxTime
    },
    get minValidTime() {
      return it().minValidTime
    },
    get refLimit() {
      return it().refLimit
    },
    get logLife() {
      return it().logLife
    },
    set logLife(life) {
      it().logLife = life
    },
    stats: () => it().stats(),
  }
  const restore = (piece: Uint8Array): void => {
    if (inner || failure) return
    try {
      restorer ??= heads.restore()
      restorer.push(piece)
    } catch (error) {
      failure = error
    }
  }
  const settle = (): boolean => {
    if (inner) return false
    try {
      if (failure) throw failure
      inner = restorer?.finish() ?? heads.create()
    } catch (error) {
      log.error('Cannot restore the head from its checkpoint; only what the log holds since is served', {
        error: error instanceof Error ? error.message : String(error),
      })
      inner = heads.create()
    }
    inner.hasLimits = false
    restorer = null
    return true
  }
  const startOver = (): void => {
    restorer = null
    failure = null
    inner = null
  }
  return { head, restore, settle, startOver }
}

/** Named is who can do something about it: the job, or the metric whose labels are the trouble. */
function noteRefused(sight: LimitSight, limit: SeriesLimit, labels: Labels): void {
  const job = labelValue(labels, 'job') || '(no job)'
  sight.note(limit, limit.startsWith('label') ? `${labelValue(labels, METRIC_NAME)} of ${job}` : job)
}

function bug(): never {
  throw new Error('BUG: the head is used before replay has settled it')
}
