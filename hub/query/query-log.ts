/**
 * `query_log_file`: a line of JSON for each expression that was evaluated. Semantics: Prometheus promql/engine.go,
 * exec, and util/logging/file.go (v3). A line that cannot be written is counted and reported once; queries go on.
 */
import type { Clock, Disk, DiskFile, Logger } from '../../protocol/env/mod.ts'
import type { QueryTask, WorkerAnswer } from './contract.ts'
import { QueryTimes } from './query-times.ts'
import { statsObject } from './stats.ts'

/** Where a query came from. */
export type QueryOrigin =
  | { readonly httpRequest: { readonly clientIP: string; readonly method: string; readonly path: string } }
  | { readonly ruleGroup: { readonly file: string; readonly name: string } }

export type QueryLogOptions = { readonly disk: Disk; readonly clock: Clock; readonly log: Logger }

export class QueryLog {
  readonly #options: QueryLogOptions
  #path = ''
  #file: DiskFile | null = null
  #hasFailed = false
  /** Of every query, logged or not. */
  readonly times = new QueryTimes()
  /** Lines that were not written. */
  dropped = 0

  constructor(options: QueryLogOptions) {
    this.#options = options
  }

  get isOpen(): boolean {
    return this.#file !== null
  }

  /** Opens the file anew, even when it is the same: it may have been moved away. '' closes. @throws DiskError */
  apply(path: string): void {
    const file = path === '' ? null : this.#options.disk.open(path, 'a', { mode: 0o666 })
    this.#file?.close()
    this.#file = file
    this.#path = path
    this.#hasFailed = false
  }

  write(task: QueryTask, answer: WorkerAnswer, origin: QueryOrigin | null): void {
    if (!('query' in task) || task.kind === 'exemplars') return
    if (answer.stats) this.times.observe(answer.stats)
    if (this.#file === null) return
    const { clock, log } = this.#options
    const iso = (ms: number): string => new Date(ms).toISOString()
    const [startMs, endMs, stepMs] =
      task.kind === 'range' ? [task.startMs, task.endMs, task.stepMs] : [task.timeMs, task.timeMs, 0]
    const line = {
      time: iso(clock.now()),
      level: 'INFO',
      msg: 'promql query logged',
      params: { end: iso(endMs), query: task.query, start: iso(startMs), step: Math.floor(stepMs / 1000) },
      ...(answer.error && { error: answer.error.message }),
      ...(answer.stats && { stats: statsObject(answer.stats) }),
      ...origin,
    }
    try {
      this.#file.write(new TextEncoder().encode(`${JSON.stringify(line)}\n`))
      this.#hasFailed = false
    } catch (err) {
      this.dropped++
      if (!this.#hasFailed) log.error('Cannot write the query log; queries go on', { file: this.#path, err })
      this.#hasFailed = true
    }
  }

  close(): void {
    this.apply('')
  }
}
