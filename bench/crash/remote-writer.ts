/**
 * A remote writer that remembers: it sends numbered samples, as Prometheus does tries a request again until it is
 * answered 2xx, and writes down each answer in a journal of its own, synced, outside of what is killed.
 */
import fs from 'node:fs'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { encodeWriteRequest, snappyCompress, type WriteSeries } from '../../protocol/remote-write/mod.ts'
import { Driver } from '../e2e/bad-day/driver.ts'
import { oracleValue } from '../e2e/oracle.ts'
import { exemplarOf, mixedNames, putFloat, sampleOf } from './samples.ts'

const STEP_MS = 5
const EVERY_MS = 25
/** Requests that wait for their answer; beyond it no new one is made. */
const MAX_OPEN = 200
const AT_ONCE = 4

export class RemoteWriter {
  readonly seriesCount: number
  sentCount = 0
  readonly startMs = Math.floor(Date.now() / 1000) * 1000 - 1000
  readonly acked = new Set<number>()
  /** Requests sent again because no answer came: each may have been stored before. */
  resent = 0
  readonly refused: string[] = []
  readonly #url: string
  readonly #journal: number
  readonly #open = new Map<number, Uint8Array>()
  readonly #inFlight = new Set<number>()
  #timer: NodeJS.Timeout | null = null
  #isDraining = false

  constructor(options: { readonly url: string; readonly seriesCount: number; readonly journalFile: string }) {
    this.#url = `${options.url}/api/v1/write`
    this.seriesCount = options.seriesCount
    this.#journal = fs.openSync(options.journalFile, 'a')
  }

  start(): void {
    this.#isDraining = false
    this.#timer ??= setInterval(() => this.#tick(), EVERY_MS)
  }

  drain(): void {
    this.start()
    this.#isDraining = true
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer)
    this.#timer = null
  }

  get openCount(): number {
    return this.#open.size
  }

  close(): void {
    this.stop()
    fs.closeSync(this.#journal)
  }

  timeOf(n: number): number {
    return this.startMs + n * STEP_MS
  }

  numberAt(timeMs: number): number {
    return (timeMs - this.startMs) / STEP_MS
  }

  #tick(): void {
    if (!this.#isDraining && this.#open.size < MAX_OPEN) this.#make()
    for (const [sequence, body] of this.#open) {
      if (this.#inFlight.size >= AT_ONCE) return
      if (!this.#inFlight.has(sequence)) void this.#send(sequence, body)
    }
  }

  #make(): void {
    const sequence = this.sentCount / Driver.samplesOf(0)[1]
    const [from, to] = Driver.samplesOf(sequence)
    const numbers = Array.from({ length: to - from }, (_, i) => from + i)
    const series = Array.from({ length: this.seriesCount }, (_, i) => ({
      labels: labelsFrom({ __name__: 'writer_value', series: String(i) }),
      timestamps: numbers.map((n) => this.startMs + n * STEP_MS),
      values: Float64Array.from(numbers, (n) => oracleValue(n, i)),
    }))
    const more = mixedNames('writer', this.seriesCount).map((name) => this.#mixed(name, numbers))
    this.sentCount = to
    this.#open.set(sequence, snappyCompress(encodeWriteRequest([...series, ...more])))
  }

  /** Every kind of sample, in series of their own. */
  #mixed(name: string, numbers: readonly number[]): WriteSeries {
    const samples = numbers.map((n) => ({ n, timestampMs: this.startMs + n * STEP_MS, sample: sampleOf(name, n) }))
    const floats = samples.filter(({ sample }) => sample.type !== 'histogram')
    const values = new Float64Array(floats.length)
    for (const [i, { sample }] of floats.entries()) putFloat(sample, values, i)
    return {
      labels: labelsFrom({ __name__: 'writer_mixed', series: name }),
      timestamps: floats.map(({ timestampMs }) => timestampMs),
      values,
      histograms: samples.flatMap(({ timestampMs, sample }) =>
        sample.type === 'histogram' ? [{ timestampMs, histogram: sample.histogram }] : [],
      ),
      exemplars: floats.flatMap(({ n, timestampMs }) => exemplarOf(name, n, timestampMs) ?? []),
    }
  }

  async #send(sequence: number, body: Uint8Array): Promise<void> {
    this.#inFlight.add(sequence)
    try {
      const { status, text } = await this.#post(body)
      if (status >= 200 && status < 300) this.#acknowledged(sequence)
      // 408 is of a machine that was too busy to read the request.
      else if (status < 500 && status !== 429 && status !== 408) {
        this.refused.push(`${sequence}: ${status} ${text}`)
        this.#open.delete(sequence)
      } else this.resent++
    } catch {
      // Killed in between: the next try tells whether it was stored.
      this.resent++
    } finally {
      this.#inFlight.delete(sequence)
    }
  }

  async #post(body: Uint8Array): Promise<{ readonly status: number; readonly text: string }> {
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' },
      body: body as Uint8Array<ArrayBuffer>,
      signal: AbortSignal.timeout(10_000),
    })
    return { status: response.status, text: await response.text() }
  }

  #acknowledged(sequence: number): void {
    if (this.acked.has(sequence)) return
    fs.writeSync(this.#journal, `${sequence}\n`)
    fs.fdatasyncSync(this.#journal)
    this.acked.add(sequence)
    this.#open.delete(sequence)
  }
}
