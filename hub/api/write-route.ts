/** `/api/v1/write`: remote write. Semantics: Prometheus storage/remote/write_handler.go. */
import type { Hono } from 'hono'
import { concat, type Vars } from './app.ts'
import type { ApiDeps } from './deps.ts'

/** Of the compressed body; the inflated one is bounded by the decoder. */
const MAX_BODY_BYTES = 32 << 20

export function writeRoute(app: Hono<Vars>, deps: ApiDeps): void {
  app.post('/api/v1/write', async (c) => {
    if (!deps.remoteWriteEnabled)
      return c.text('remote write receiver needs to be enabled with --web.enable-remote-write-receiver\n', 404)
    const type = (c.req.header('content-type') ?? '').trim().toLowerCase()
    const [media, ...attributes] = type.split(';').map((part) => part.trim())
    const proto = attributes.find((attribute) => attribute.startsWith('proto='))?.slice(6)
    if (type !== '' && media !== 'application/x-protobuf')
      return c.text(`expected application/x-protobuf as the first (media) part, got ${type} content-type\n`, 415)
    const odd = attributes.find((attribute) => attribute.split('=').length !== 2)
    if (odd !== undefined)
      return c.text(`expected parameters to be key-values, got ${odd} in ${type} content-type\n`, 415)
    if (proto !== undefined && proto !== 'prometheus.writerequest') {
      return c.text(
        `${proto} protobuf message is not accepted by this server; only accepts prometheus.WriteRequest\n`,
        415,
      )
    }
    const encoding = c.req.header('content-encoding') ?? ''
    if (encoding !== '' && encoding.toLowerCase() !== 'snappy')
      return c.text(
        `${encoding} encoding (compression) is not accepted by this server; only snappy is acceptable\n`,
        415,
      )
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of (c.req.raw.body ?? []) as AsyncIterable<Uint8Array>) {
      size += chunk.length
      if (size > MAX_BODY_BYTES) return c.text(`the body exceeds ${MAX_BODY_BYTES} bytes\n`, 413)
      chunks.push(chunk)
    }
    const { status, message } = await deps.ingest.remoteWrite(concat(chunks, size))
    if (status === 204) return c.body(null, 204)
    const headers: Record<string, string> = status === 429 || status === 503 ? { 'retry-after': '5' } : {}
    return c.text(`${message}\n`, status, headers)
  })
}
