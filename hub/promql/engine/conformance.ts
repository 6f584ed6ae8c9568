/**
 * Prometheus' own test scripts over the engine: parser, evaluator and a store, as FORMAT.md of the conformance kit
 * says they are to be run. The store is given, so that the same scripts run over memory and over the real head.
 */
import type { SeriesReader } from '../../tsdb/contract.ts'
import type { EngineOptions, QueryResult } from '../contract.ts'
import { ALL_FEATURES, parseExpr } from '../parser/mod.ts'
import { type LoadedSeries, runScript, type ScriptTarget } from '../testscript/mod.ts'
import { evaluate } from './evaluate.ts'

/** One script's storage: it starts empty. */
export interface ConformanceStore {
  append(series: readonly LoadedSeries[]): void | Promise<void>
  /** A reader over all that has been appended; released after each query. */
  reader(): SeriesReader | Promise<SeriesReader>
  close(): void | Promise<void>
}

export type Script = { readonly name: string; readonly text: string }

export type ConformanceFailure = { readonly script: string; readonly line: number; readonly message: string }

export type ConformanceReport = {
  readonly passed: number
  readonly total: number
  readonly failures: readonly ConformanceFailure[]
}

/** The options in force upstream (FORMAT.md, section 7). */
export const CONFORMANCE_OPTIONS: EngineOptions = {
  lookbackMs: 300_000,
  defaultSubqueryStepMs: 60_000,
  maxSamples: 10_000,
  delayedNameRemoval: true,
  useStartTimestamps: true,
  typeAndUnitLabels: false,
  interrupted: () => null,
}

export async function runPromqlConformance(
  scripts: readonly Script[],
  makeStore: () => ConformanceStore | Promise<ConformanceStore>,
): Promise<ConformanceReport> {
  let passed = 0
  let total = 0
  const failures: ConformanceFailure[] = []
  for (const { name, text } of scripts) {
    const target = new StoreTarget(makeStore)
    const report = await runScript(text, target)
    await target.close()
    passed += report.passed
    total += report.total
    for (const { line, message } of report.failures) failures.push({ script: name, line, message })
  }
  return { passed, total, failures }
}

class StoreTarget implements ScriptTarget {
  readonly #makeStore: () => ConformanceStore | Promise<ConformanceStore>
  #store: ConformanceStore | null = null

  constructor(makeStore: () => ConformanceStore | Promise<ConformanceStore>) {
    this.#makeStore = makeStore
  }

  async clear(): Promise<void> {
    await this.close()
    this.#store = await this.#makeStore()
  }

  async close(): Promise<void> {
    await this.#store?.close()
    this.#store = null
  }

  append(series: readonly LoadedSeries[]): void | Promise<void> {
    return this.#store!.append(series)
  }

  instant(query: string, timeMs: number): Promise<QueryResult> {
    return this.#run(query, { startMs: timeMs, endMs: timeMs, stepMs: 1, instant: true })
  }

  range(query: string, startMs: number, endMs: number, stepMs: number): Promise<QueryResult> {
    return this.#run(query, { startMs, endMs, stepMs, instant: false })
  }

  async #run(text: string, range: Parameters<typeof evaluate>[0]['range']): Promise<QueryResult> {
    const reader = await this.#store!.reader()
    try {
      return evaluate({ expr: parseExpr(text, ALL_FEATURES), text, range, options: CONFORMANCE_OPTIONS, reader })
    } finally {
      reader.release()
    }
  }
}
