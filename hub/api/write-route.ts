/** `/api/v1/write`: remote write 1.0 and 2.0. Semantics: Prometheus storage/remote/write_handler.go (v3.14). */

import type { Hono } from 'hono'
import { joinBytes } from '../../protocol/bytes/mod.ts'
import type { WriteEncoding, WriteFormat } from '../../protocol/remote-write/mod.ts'
import type { Ctx, Vars } from './app.ts'
import type { ApiDeps } from './deps.ts'

/** Of the compressed body; the inflated one is bounded by the decoder. */
const MAX_BODY_BYTES = 32 << 20

const PROTOS: Readonly<Record<string, WriteFormat>> = {
  __proto__: null as never,
  'prometheus.WriteRequest': 'rw1',
  'io.prometheus.write.v2.Request': 'rw2',
}
const ENCODINGS: readonly WriteEncoding[] = ['snappy', 'zstd']

export function writeRoute(app: Hono<Vars>, deps: ApiDeps): void {
  app.post('/api/v1/write', async (c) => {
    if (!deps.remoteWriteEnabled)
      return c.text('remote write receiver needs to be enabled with --web.enable-remote-write-receiver\n', 404)
    const format = formatOf(c.req.header('content-type') ?? '')
    if (typeof format === 'object') return c.text(`${format.problem}\n`, 415)
    const named = (c.req.header('content-encoding') ?? '').toLowerCase()
    const encoding = named === '' ? 'snappy' : ENCODINGS.find((own) => own === named)
    if (encoding === undefined)
      return c.text(
        `${c.req.header('content-encoding')} encoding (compression) is not accepted by this server; only ${ENCODINGS.join(' and ')} are acceptable\n`,
        415,
      )
    const body = await boundedBody(c)
    if (body === null) return c.text(`the body exceeds ${MAX_BODY_BYTES} bytes\n`, 413)
    // Of 1.0 alone the log knows no settings: its metadata are no part of a series.
    const isTyped = format === 'rw2' && deps.settings().features.includes('type-and-unit-labels')
    const kind = { format, encoding, ...(isTyped && { settings: { typeAndUnitLabels: true } }) }
    const { status, message, written } = await deps.ingest.remoteWrite(body, kind)
    const headers: Record<string, string> = status === 429 || status === 503 ? { 'retry-after': '5' } : {}
    if (format === 'rw2') {
      headers['x-prometheus-remote-write-samples-written'] = String(written.samples)
      headers['x-prometheus-remote-write-histograms-written'] = String(written.histograms)
      headers['x-prometheus-remote-write-exemplars-written'] = String(written.exemplars)
    }
    return status === 204 ? c.body(null, 204, headers) : c.text(`${message}\n`, status, headers)
  })
}

/** Semantics: Prometheus storage/remote/write_handler.go, parseProtoMsg. */
function formatOf(type: string): WriteFormat | { readonly problem: string } {
  const [media = '', ...attributes] = type.split(';').map((part) => part.trim())
  if (media === '' && attributes.length === 0) return 'rw1'
  if (media.toLowerCase() !== 'application/x-protobuf')
    return { problem: `expected application/x-protobuf as the first (media) part, got ${type} content-type` }
  for (const attribute of attributes) {
    const parts = attribute.split('=')
    if (parts.length !== 2)
      return {
        problem: `as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be key-values, got ${attribute} in ${type} content-type`,
      }
    if (parts[0] !== 'proto') continue
    const format = PROTOS[parts[1]!]
    if (format !== undefined) return format
    return {
      problem: `got ${type} content type; unknown type for remote write protobuf message ${parts[1]}, supported: ${Object.keys(PROTOS).join(', ')}`,
    }
  }
  return 'rw1'
}

/** null: too large. */
export async function boundedBody(c: Ctx): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of (c.req.raw.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) return null
    chunks.push(chunk)
  }
  return joinBytes(chunks)
}
