/** What operators and `heliograph-agent status` ask: `/api/v1/status/agent` and `/api/v1/errors`. */
import type { HttpHandler, RingStats } from '../../protocol/env/mod.ts'
import type { UplinkStats } from '../uplink/mod.ts'
import type { LoggedError } from './error-log.ts'

export type AgentStatus = {
  readonly version: string
  readonly agent: string
  readonly publicKey: string
  readonly isReady: boolean
  readonly startedMs: number
  readonly nowMs: number
  /** null: this agent collects for itself. */
  readonly hub: { readonly url: string; readonly isConnected: boolean; readonly inFlightBatches: number } | null
  readonly ring: {
    readonly sizeBytes: number
    readonly fileBytes: number
    readonly capBytes: number
    readonly unacknowledgedBatches: number
    readonly unacknowledgedBytes: number
    readonly oldestUnacknowledgedMs: number | null
    readonly overwrittenBatches: number
    readonly overwrittenSamples: number
    readonly lostBatches: number
  } | null
  readonly targets: { readonly up: number; readonly down: number; readonly unknown: number }
  readonly errors: readonly LoggedError[]
}

export function ringStatus(ring: RingStats): NonNullable<AgentStatus['ring']> {
  return {
    sizeBytes: ring.sizeBytes,
    fileBytes: ring.fileBytes,
    capBytes: ring.capBytes,
    unacknowledgedBatches: ring.pendingBatches,
    unacknowledgedBytes: ring.pendingBytes,
    oldestUnacknowledgedMs: ring.oldestUnackedMs,
    overwrittenBatches: ring.overwritten.batches,
    overwrittenSamples: ring.overwritten.samples,
    lostBatches: ring.lostBatches,
  }
}

export function hubStatus(url: string, uplink: UplinkStats | null): NonNullable<AgentStatus['hub']> {
  return { url, isConnected: Boolean(uplink?.connected), inFlightBatches: uplink?.inFlightBatches ?? 0 }
}

/** Answers its own paths and leaves the others to `next`. */
export function operationApi(
  status: () => Promise<AgentStatus>,
  errors: () => readonly LoggedError[],
  next: HttpHandler,
): HttpHandler {
  return async (request, info) => {
    const { pathname } = new URL(request.url)
    if (request.method !== 'GET') return next(request, info)
    if (pathname === '/api/v1/status/agent') return json(await status())
    if (pathname === '/api/v1/errors') return json(errors())
    return next(request, info)
  }
}

function json(data: unknown): Response {
  return new Response(JSON.stringify({ status: 'success', data }), { headers: { 'content-type': 'application/json' } })
}
