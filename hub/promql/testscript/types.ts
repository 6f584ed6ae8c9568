/**
 * Test scripts as data: what a script asks for and what it expects.
 * Semantics: Prometheus promql/promqltest/test.go (v3.14), as written down in the conformance kit's FORMAT.md.
 */
import type { Labels } from '../../../protocol/labels/mod.ts'
import type { Histogram } from '../../../protocol/samples/mod.ts'
import type { QueryResult } from '../contract.ts'
import type { SequenceValue } from '../series-description/mod.ts'

/** A line of a script that cannot be read, or data that cannot be loaded. `line` counts from 1. */
export class ScriptError extends Error {
  readonly line: number
  constructor(line: number, message: string, options?: ErrorOptions) {
    super(`line ${line}: ${message}`, options)
    this.name = 'ScriptError'
    this.line = line
  }
}

/** What a loaded sample is, in `LoadedSeries.kinds`; as `SampleBuffer.flags`. */
export const SampleKind = { float: 0, stale: 1, histogram: 2 } as const

/** Samples of one series, ascending in time, all arrays of one length. */
export type LoadedSeries = {
  readonly labels: Labels
  /** Milliseconds. */
  readonly times: Float64Array<ArrayBuffer>
  /** Stale markers have their bits. */
  readonly values: Float64Array<ArrayBuffer>
  readonly kinds: Uint8Array<ArrayBuffer>
  /** Sparse by position; null when there are none. */
  readonly histograms: readonly (Histogram | undefined)[] | null
  /** Milliseconds, 0 unknown; null when the script gives none. */
  readonly startTimes: Float64Array<ArrayBuffer> | null
}

export type Expectation = { readonly kind: 'any' } | { readonly kind: 'msg' | 'regex'; readonly text: string }

export type Expects = {
  /** Evaluation must fail. */
  readonly fail: Expectation | null
  readonly warn: readonly Expectation[]
  readonly info: readonly Expectation[]
  readonly noWarn: boolean
  readonly noInfo: boolean
  readonly ordered: boolean
}

export type ExpectedSeries = { readonly labels: Labels; readonly values: readonly SequenceValue[] }

export type ExpectedResult =
  | { readonly kind: 'series'; readonly series: readonly ExpectedSeries[] }
  | { readonly kind: 'scalar'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  /** Of an instant query: point i has the time `startMs + i * stepMs`. */
  | {
      readonly kind: 'range-vector'
      readonly startMs: number
      readonly endMs: number
      readonly stepMs: number
      readonly series: readonly ExpectedSeries[]
    }

export type EvalTimes =
  | { readonly kind: 'instant'; readonly timeMs: number }
  | { readonly kind: 'range'; readonly startMs: number; readonly endMs: number; readonly stepMs: number }

export type EvalCommand = {
  readonly kind: 'eval'
  readonly line: number
  readonly query: string
  readonly times: EvalTimes
  readonly expects: Expects
  readonly result: ExpectedResult
}
export type LoadCommand = {
  readonly kind: 'load'
  readonly line: number
  readonly stepMs: number
  readonly series: readonly LoadedSeries[]
}
export type Command = { readonly kind: 'clear'; readonly line: number } | LoadCommand | EvalCommand

/** What a script runs on: storage and engine. Evaluation errors are thrown; their message is compared. */
export interface ScriptTarget {
  clear(): void | Promise<void>
  /** One committed batch, added to what was loaded earlier. */
  append(series: readonly LoadedSeries[]): void | Promise<void>
  instant(query: string, timeMs: number): QueryResult | Promise<QueryResult>
  range(query: string, startMs: number, endMs: number, stepMs: number): QueryResult | Promise<QueryResult>
}
