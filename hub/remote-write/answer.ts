/**
 * What a receiver's answer means. Semantics: Prometheus storage/remote/client.go, Store (v3.5), and the Remote-Write 1.0
 * and 2.0 specifications.
 */
import type { HttpResponse } from '../../protocol/env/mod.ts'
import type { Counts } from './messages.ts'

export type Verdict =
  /** `refused`: of a request that was taken, what the receiver says it did not store. */
  | { readonly kind: 'taken'; readonly refused: Counts | null; readonly why: string }
  | { readonly kind: 'failed'; readonly status: number; readonly refused: Counts; readonly why: string }
  /** @param afterMs what it asks for; 0: it does not say */
  | { readonly kind: 'retry'; readonly afterMs: number; readonly why: string }

const MAX_RETRY_AFTER_MS = 3_600_000
const WRITTEN = 'x-prometheus-remote-write-'

export function judge(
  { status, headers, body }: HttpResponse,
  sent: Counts,
  options: { readonly isVersion2: boolean; readonly retryOn429: boolean; readonly nowMs: number },
): Verdict {
  const written = options.isVersion2 ? writtenOf(headers) : null
  if (status >= 200 && status < 300) {
    if (!options.isVersion2 || sent.samples + sent.histograms + sent.exemplars === 0)
      return { kind: 'taken', refused: null, why: '' }
    if (written === null)
      return {
        kind: 'failed',
        status,
        refused: sent,
        why: `the receiver answered ${status} without saying what it has written: it may know remote write 1.0 alone, for which protobuf_message is "prometheus.WriteRequest"`,
      }
    const refused = lessOf(sent, written)
    const isAll = refused.samples + refused.histograms + refused.exemplars === 0
    return { kind: 'taken', refused: isAll ? null : refused, why: isAll ? '' : 'the receiver has written a part of it' }
  }
  const text = new TextDecoder().decode(body.subarray(0, 512)).split('\n')[0]!.trim()
  const why = `server returned HTTP status ${status}${text === '' ? '' : `: ${text}`}`
  if (status >= 500 || (status === 429 && options.retryOn429))
    return { kind: 'retry', afterMs: retryAfterMs(headers['retry-after'], options.nowMs), why }
  return { kind: 'failed', status, refused: written === null ? sent : lessOf(sent, written), why }
}

/** Of the header's value: seconds, or a time. @returns 0 where it says nothing */
export function retryAfterMs(value: string | undefined, nowMs: number): number {
  if (value === undefined) return 0
  const text = value.trim()
  const ms = /^\d+$/.test(text) ? 1000 * Number(text) : Date.parse(text) - nowMs
  return Number.isNaN(ms) ? 0 : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, ms))
}

/** Null when it says nothing of it. */
function writtenOf(headers: Readonly<Record<string, string>>): Counts | null {
  const of = (what: string): string | undefined => headers[`${WRITTEN}${what}-written`]
  const [samples, histograms, exemplars] = [of('samples'), of('histograms'), of('exemplars')]
  if (samples === undefined && histograms === undefined && exemplars === undefined) return null
  return { samples: Number(samples) || 0, histograms: Number(histograms) || 0, exemplars: Number(exemplars) || 0 }
}

const lessOf = (sent: Counts, written: Counts): Counts => ({
  samples: Math.max(0, sent.samples - written.samples),
  histograms: Math.max(0, sent.histograms - written.histograms),
  exemplars: Math.max(0, sent.exemplars - written.exemplars),
})
