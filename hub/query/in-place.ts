/**
 * Small queries are answered on the thread that has them. Handing one over costs that thread 0.2 ms and the query two
 * changes of threads, which is more than most dashboards' and rules' instant queries take altogether.
 *
 * What is small is tried, not guessed: a query runs under limits of a millisecond or so (series that its selectors could
 * match, samples, time), with a reader that stops it at the first that it exceeds. Then, and for any error, the
 * workers do it as if nothing had been; its text is remembered, and goes straight to them for a while.
 */
import type { Matcher } from '../../protocol/matchers/mod.ts'
import { hideFromHead } from '../block/mod.ts'
import type { ReaderShare, SampleBuffer, SeriesReader, SeriesRef, Shard, TimeRange } from '../tsdb/contract.ts'
import { evictedUntil, openReader } from '../tsdb/mod.ts'
import type { BlockView, QueryTask, WorkerAnswer } from './contract.ts'
import { DelegatingReader } from './delegating-reader.ts'
import { type ExpressionTask, isExpression } from './run-expression.ts'
import { runPart } from './run-task.ts'

const QUERY_CHARS_MAX = 500
const STEPS_MAX = 500
/** Held at once, as the limit of all queries counts them. */
const HELD_MAX = 30_000
const READ_MAX = 6000
/** Postings that the cheapest matcher of a selector has. */
const SERIES_MAX = 300
const TIME_MAX_MS = 5
const LOOK_EVERY_MS = 0.25
/** Past it a query that was answered is one for the workers. */
const SLOW_MS = 1.5
const REMEMBERED_MAX = 1000
/** What had too much to read. */
const REMEMBER_MS = 60_000
/** What took too long: code that was not compiled yet, or a busy machine, so it is soon tried again, then less often. */
const SLOW_AGAIN_MS = 20

export type InPlaceOptions = {
  readonly share: () => ReaderShare
  readonly blocks: () => BlockView
  /** Monotonic, in ms. */
  readonly now: () => number
  /** What this thread has spent, in ms: on a busy machine the clock says nothing about the size of a query. */
  readonly cpuMs: () => number
}

export class InPlace {
  readonly #options: InPlaceOptions
  /** Until when texts are for the workers, and for how long they were then. */
  readonly #large = new Map<string, { readonly untilMs: number; readonly forMs: number }>()

  constructor(options: InPlaceOptions) {
    this.#options = options
  }

  /** Null: ask the workers. Never throws, and returns within a few ms. */
  answer(task: QueryTask): WorkerAnswer | null {
    if (!isExpression(task) || task.settings.arrow || task.query.length > QUERY_CHARS_MAX || stepsOf(task) > STEPS_MAX)
      return null
    const { now, cpuMs } = this.#options
    const startedMs = now()
    const key = `${stepsOf(task)} ${task.query}`
    const known = this.#large.get(key)
    if (known !== undefined && known.untilMs > startedMs) return null
    const before = cpuMs()
    const answer = this.#attempt(task, before + TIME_MAX_MS)
    const isSlow = cpuMs() - before > SLOW_MS
    if (isSlow) this.#remember(key, Math.min(REMEMBER_MS, known === undefined ? SLOW_AGAIN_MS : 2 * known.forMs))
    else if (answer === null) this.#remember(key, REMEMBER_MS)
    else if (known !== undefined) this.#large.delete(key)
    return answer
  }

  #attempt(task: ExpressionTask, untilCpuMs: number): WorkerAnswer | null {
    const { share, blocks, now, cpuMs } = this.#options
    const given = share()
    const { paths, coveredUntil, hidden } = blocks()
    let head: SeriesReader
    try {
      head = hideFromHead(openReader(given), hidden)
    } catch {
      return null
    }
    try {
      const blocksUntil = Math.max(paths.length === 0 ? Number.NEGATIVE_INFINITY : coveredUntil, ...paths.map(endOf))
      let lookedMs = now()
      // The clock is cheaper than the kernel's account of the thread.
      const isLate = (): boolean => {
        const nowMs = now()
        if (nowMs - lookedMs < LOOK_EVERY_MS) return false
        lookedMs = nowMs
        return cpuMs() > untilCpuMs
      }
      const reader = new SmallReader(head, blocksUntil)
      const settings = { ...task.settings, maxSamples: Math.min(task.settings.maxSamples, HELD_MAX) }
      const part = { kind: 'whole' as const, threads: 0 }
      const answer = runPart(
        { task: { ...task, settings }, part, queuedMs: 0, before: null },
        { reader, flags: NO_FLAGS, now, isLate },
      )
      return answer.error !== undefined || evictedUntil(given) > coveredUntil ? null : answer
    } catch {
      // StalePagesError: a worker gets fresh pages.
      return null
    } finally {
      head.release()
    }
  }

  #remember(key: string, forMs: number): void {
    if (this.#large.size >= REMEMBERED_MAX) this.#large.clear()
    this.#large.set(key, { untilMs: this.#options.now() + forMs, forMs })
  }
}

const NO_FLAGS = new Int32Array(1)

function stepsOf(task: ExpressionTask): number {
  return task.kind === 'range' ? Math.floor((task.endMs - task.startMs) / task.stepMs) + 1 : 1
}

/** Where a block ends, by its name: one that was imported may be newer than what the head has evicted. */
function endOf(path: string): number {
  return Number(/\d-(-?\d+)-\d+$/.exec(path)?.[1] ?? Number.POSITIVE_INFINITY)
}

/** Ends the query, as an error that nobody sees. */
class TooLarge extends Error {}

class SmallReader extends DelegatingReader {
  readonly #blocksUntil: number
  #read = 0

  /** @param blocksUntil samples up to that time may be in blocks, which are not read here */
  constructor(head: SeriesReader, blocksUntil: number) {
    super(head)
    this.#blocksUntil = blocksUntil
  }

  override select(matchers: readonly Matcher[], range: TimeRange, shard?: Shard): Uint32Array {
    if (range.minTime <= this.#blocksUntil) throw new TooLarge()
    if ((this.reader.matchBound?.(matchers) ?? Number.POSITIVE_INFINITY) > SERIES_MAX) throw new TooLarge()
    return this.reader.select(matchers, range, shard)
  }

  override read(ref: SeriesRef, range: TimeRange, out: SampleBuffer): void {
    this.reader.read(ref, range, out)
    this.#read += out.count
    if (this.#read > READ_MAX) throw new TooLarge()
  }
}
