/**
 * A trial: a task that runs for as long as it is small. While heavy queries hold all workers, one more worker tries what
 * waits; what reads, selects or takes more than the least of heavy queries goes back to wait for its turn.
 *
 * What is small is tried, not guessed, as in `in-place.ts`: blocks do not tell what matchers cost.
 */
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import type { SampleBuffer, SeriesReader, SeriesRef, Shard, TimeRange } from '../tsdb/contract.ts'
import type { QueryTask, WorkerAnswer } from './contract.ts'
import { DelegatingReader } from './delegating-reader.ts'
import { isExpression, type PartContext, type PartTask } from './run-expression.ts'
import { runPart } from './run-task.ts'

const SERIES_MAX = 5000
const READ_MAX = 500_000
/** Held at once, as the limit of all queries counts them. */
const HELD_MAX = 1_000_000
/** Of the thread: about twice what a large dashboard's panels take, cold. */
const CPU_MAX_MS = 300
const LOOK_EVERY_MS = 5
const CALLS_PER_LOOK = 64

export type TrialContext = Omit<PartContext, 'isLate'> & {
  /** What this thread has spent, in ms. */
  readonly cpuMs: () => number
}

/** With `isLarge` and nothing else of use when the task is for the workers. @throws as runPart does */
export function tryPart(given: PartTask, { reader, cpuMs, ...rest }: TrialContext): WorkerAnswer {
  const { flags, now } = rest
  const budget = new Budget(now, cpuMs)
  const answer = runPart(
    { ...given, task: narrowed(given.task) },
    { ...rest, reader: new BudgetReader(reader, budget), isLate: () => budget.isLate() },
  )
  // Who stops the query wants to hear that. Other errors, but those of the text, may be those of the budget.
  const isLarge = answer.error !== undefined && answer.error.type !== 'bad_data' && Atomics.load(flags, 0) === 0
  return isLarge ? { ...answer, isLarge } : answer
}

/** Can a task be stopped on its way? The head's cardinality is one call. */
export const canTry = ({ kind }: QueryTask): boolean => kind !== 'cardinality'

function narrowed(task: QueryTask): QueryTask {
  if (!isExpression(task)) return task
  return { ...task, settings: { ...task.settings, maxSamples: Math.min(task.settings.maxSamples, HELD_MAX) } }
}

class Budget {
  #isExceeded = false
  readonly #now: () => number
  readonly #cpuMs: () => number
  readonly #untilCpuMs: number
  #lookedMs: number
  #calls = 0
  #series = 0
  #samples = 0

  constructor(now: () => number, cpuMs: () => number) {
    this.#now = now
    this.#cpuMs = cpuMs
    this.#untilCpuMs = cpuMs() + CPU_MAX_MS
    this.#lookedMs = now()
  }

  /** The clock is cheaper than the kernel's account of the thread. */
  isLate(): boolean {
    const nowMs = this.#now()
    if (nowMs - this.#lookedMs >= LOOK_EVERY_MS) {
      this.#lookedMs = nowMs
      if (this.#cpuMs() > this.#untilCpuMs) this.#isExceeded = true
    }
    return this.#isExceeded
  }

  /** @throws TooLarge */
  spend(series: number, samples: number): void {
    this.#series += series
    this.#samples += samples
    if (this.#series > SERIES_MAX || this.#samples > READ_MAX) this.#isExceeded = true
    const isLate = this.#calls++ % CALLS_PER_LOOK === 0 && this.isLate()
    if (isLate || this.#isExceeded) throw new TooLarge()
  }
}

/** Ends the trial, as an error that nobody sees. */
class TooLarge extends Error {}

class BudgetReader extends DelegatingReader {
  readonly #budget: Budget

  constructor(reader: SeriesReader, budget: Budget) {
    super(reader)
    this.#budget = budget
  }

  override select(matchers: readonly Matcher[], range: TimeRange, shard?: Shard): Uint32Array {
    const refs = this.reader.select(matchers, range, shard)
    this.#budget.spend(refs.length, 0)
    return refs
  }

  override labels(ref: SeriesRef): Labels {
    this.#budget.spend(0, 0)
    return this.reader.labels(ref)
  }

  override read(ref: SeriesRef, range: TimeRange, out: SampleBuffer): void {
    this.reader.read(ref, range, out)
    this.#budget.spend(0, out.count)
  }

  override readNewest(ref: SeriesRef, range: TimeRange, out: SampleBuffer): void {
    super.readNewest(ref, range, out)
    this.#budget.spend(0, out.count)
  }
}
