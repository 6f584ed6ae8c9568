/**
 * Small queries are answered on the thread that has them. Handing one over costs both threads together more than most
 * dashboards' and rules' instant queries take.
 *
 * What is small is tried, not guessed: a query runs under limits of a few milliseconds (series that its selectors could
 * match, samples, time), with a reader that stops it at the first that it exceeds (`small-reader.ts`). Then, and for any
 * error, the workers do it as if nothing had been; its text is remembered, and goes straight to them for a while. All
 * such queries together leave the thread a part of its time, for it has requests to read and samples to acknowledge.
 */
import { hideFromHead } from '../block/mod.ts'
import type { ReaderShare, SeriesReader } from '../tsdb/contract.ts'
import { evictedUntil, openReader } from '../tsdb/mod.ts'
import type { BlockView, QueryTask, WorkerAnswer } from './contract.ts'
import { isExpression } from './run-expression.ts'
import { runPart } from './run-task.ts'
import { BoundedReader, NewestReader } from './small-reader.ts'

const QUERY_CHARS_MAX = 500
/**
 * Regular expressions that may take this thread's time before anybody can stop them: counted repetitions, classes of
 * Unicode and flags are long lists to the engine (0.5 s for 30 characters), and escapes of strings could hide them.
 */
const HEAVY_REGEX = /\{\d|\\[pP]|\(\?[a-zU-]|\\[xuU0-7]/
const STEPS_MAX = 500
/** Held at once, as the limit of all queries counts them. */
const HELD_MAX = 30_000
const TIME_MAX_MS = 5
/**
 * The next time, twice as long, up to here: what takes 2 ms takes ten times as long while its code is not compiled, and
 * code that is always stopped after 5 ms stays so.
 */
const TIME_AGAIN_MAX_MS = 20
const LOOK_EVERY_MS = 0.25
/** Past it a query that was answered is one for the workers, if it stays so slow. */
const SLOW_MS = 2.5
/** So long it may be, in all: code that was not compiled yet becomes so by being run. */
const SLOW_SUM_MS = 80
const REMEMBERED_MAX = 1000
/** What had too much to read. */
const REMEMBER_MS = 60_000
const SLOW_AGAIN_MS = 1000
/** What was stopped, which code that was not compiled yet may have done: soon tried again, then less and less often. */
const LATE_AGAIN_MS = 50
/** After so long, and eight times as long as it would be left to the workers, a text is as good as new. */
const FORGET_MS = 10_000
/** Of the thread's time, in all such queries together. */
const SHARE_MAX = 0.9
/** At once, after a time without any: what eight clients ask at the same moment, where it is small. */
const BURST_MS = 8

export type InPlaceOptions = {
  readonly share: () => ReaderShare
  readonly blocks: () => BlockView
  /** Monotonic, in ms. */
  readonly now: () => number
  /** What this thread has spent, in ms: on a busy machine the clock says nothing about the size of a query. */
  readonly cpuMs: () => number
}

/** Of a text that was not answered at once. */
type Remembered = {
  /** Until then it is for the workers. */
  untilMs: number
  /** How long that is the next time. */
  nextMs: number
  /** How long it may take the next time. */
  maxMs: number
  /** What it has spent since it was last quick. */
  slowMs: number
}

export class InPlace {
  readonly #options: InPlaceOptions
  readonly #remembered = new Map<string, Remembered>()
  #creditMs = BURST_MS
  #creditedMs = Number.NEGATIVE_INFINITY

  constructor(options: InPlaceOptions) {
    this.#options = options
  }

  /** Null: ask the workers. Never throws, and returns within a few ms, a few times for each text within twenty. */
  answer(task: QueryTask): WorkerAnswer | null {
    const key = keyOf(task)
    if (key === null) return null
    const { now, cpuMs } = this.#options
    const startedMs = now()
    const known = this.#known(key, startedMs)
    if ((known !== undefined && known.untilMs > startedMs) || !this.#hasCredit(startedMs)) return null
    const before = cpuMs()
    const maxMs = known?.maxMs ?? TIME_MAX_MS
    const attempt = this.#attempt(task, before + maxMs)
    const tookMs = cpuMs() - before
    this.#creditMs -= tookMs
    if (attempt === 'soon') this.#leave(key, startedMs, LATE_AGAIN_MS, maxMs)
    else if (attempt === 'large') this.#leave(key, startedMs, REMEMBER_MS, maxMs)
    else if (attempt === 'late')
      this.#leave(key, startedMs, known?.nextMs ?? LATE_AGAIN_MS, Math.min(TIME_AGAIN_MAX_MS, 2 * maxMs))
    else if (tookMs > SLOW_MS) this.#wasSlow(key, startedMs, tookMs, known)
    else if (known !== undefined) this.#remembered.delete(key)
    return typeof attempt === 'string' ? null : attempt
  }

  #known(key: string, nowMs: number): Remembered | undefined {
    const known = this.#remembered.get(key)
    const isOld = known !== undefined && nowMs - known.untilMs > FORGET_MS + 8 * known.nextMs
    return isOld ? undefined : known
  }

  #hasCredit(nowMs: number): boolean {
    this.#creditMs = Math.min(BURST_MS, this.#creditMs + SHARE_MAX * (nowMs - this.#creditedMs))
    this.#creditedMs = nowMs
    return this.#creditMs > 0
  }

  #wasSlow(key: string, startedMs: number, tookMs: number, known: Remembered | undefined): void {
    const { nextMs = LATE_AGAIN_MS, maxMs = TIME_MAX_MS, slowMs = 0 } = known ?? {}
    const sumMs = slowMs + tookMs
    if (sumMs < SLOW_SUM_MS) this.#remember(key, { untilMs: startedMs, nextMs, maxMs, slowMs: sumMs })
    else this.#leave(key, startedMs, Math.max(SLOW_AGAIN_MS, nextMs), TIME_MAX_MS)
  }

  /** To the workers, for so long; then it may take so long. */
  #leave(key: string, startedMs: number, forMs: number, maxMs: number): void {
    const nextMs = Math.min(REMEMBER_MS, 2 * forMs)
    this.#remember(key, { untilMs: startedMs + forMs, nextMs, maxMs, slowMs: 0 })
  }

  #remember(key: string, what: Remembered): void {
    if (this.#remembered.size >= REMEMBERED_MAX && !this.#remembered.has(key)) this.#remembered.clear()
    this.#remembered.set(key, what)
  }

  #attempt(task: QueryTask, untilCpuMs: number): WorkerAnswer | 'large' | 'late' | 'soon' {
    const { share, blocks, now, cpuMs } = this.#options
    const given = share()
    const { paths, coveredUntil, hidden } = blocks()
    let head: SeriesReader | null = null
    let bounded: BoundedReader | null = null
    let wasLate = false
    let lookedMs = now()
    // The clock is cheaper than the kernel's account of the thread.
    const isLate = (): boolean => {
      const nowMs = now()
      if (wasLate || nowMs - lookedMs < LOOK_EVERY_MS) return wasLate
      lookedMs = nowMs
      wasLate = cpuMs() > untilCpuMs
      return wasLate
    }
    try {
      head = openReader(given)
      bounded = new BoundedReader(head, isLate)
      const blocksUntil = Math.max(paths.length === 0 ? Number.NEGATIVE_INFINITY : coveredUntil, ...paths.map(endOf))
      const reader = new NewestReader(hideFromHead(bounded, hidden), blocksUntil)
      const part = { kind: 'whole' as const, threads: 0 }
      const answer = runPart(
        { task: narrowed(task), part, queuedMs: 0, before: null },
        { reader, flags: NO_FLAGS, now, isLate },
      )
      if (answer.error === undefined && evictedUntil(given) <= coveredUntil) return answer
    } catch {
      // StalePagesError: a worker gets fresh pages. What is hidden, when it is too much to find: as any other query.
    } finally {
      head?.release()
    }
    if (wasLate) return 'late'
    return bounded?.isStillMatching ? 'soon' : 'large'
  }
}

const NO_FLAGS = new Int32Array(1)

/** What queries are remembered by; null for those that are not tried. */
function keyOf(task: QueryTask): string | null {
  if (task.kind === 'series' || task.kind === 'labels' || task.kind === 'values') {
    const { kind, matches } = task
    const key = `${kind} ${kind === 'values' ? task.label : ''} ${matches.join(' ')}`
    return isForWorkers(key) ? null : key
  }
  if (!isExpression(task) || task.settings.arrow || isForWorkers(task.query)) return null
  const steps = task.kind === 'range' ? Math.floor((task.endMs - task.startMs) / task.stepMs) + 1 : 1
  return steps > STEPS_MAX ? null : `${steps} ${task.query}`
}

const isForWorkers = (text: string): boolean => text.length > QUERY_CHARS_MAX || HEAVY_REGEX.test(text)

function narrowed(task: QueryTask): QueryTask {
  if (!isExpression(task)) return task
  return { ...task, settings: { ...task.settings, maxSamples: Math.min(task.settings.maxSamples, HELD_MAX) } }
}

/** Where a block ends, by its name: one that was imported may be newer than what the head has evicted. */
function endOf(path: string): number {
  return Number(/\d-(-?\d+)-\d+$/.exec(path)?.[1] ?? Number.POSITIVE_INFINITY)
}
