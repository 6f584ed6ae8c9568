/**
 * `/api/v1/otlp/v1/metrics`: OTLP over HTTP, protobuf and JSON. Semantics: opentelemetry.io/docs/specs/otlp, OTLP/HTTP
 * (what cannot be stored is a partial success with its reason); Prometheus web/api/v1 otlpWrite for path and flag.
 */
import type { Hono } from 'hono'
import type { WriteEncoding } from '../../protocol/remote-write/mod.ts'
import type { Vars } from './app.ts'
import type { ApiDeps } from './deps.ts'
import { boundedBody } from './write-route.ts'

const ENCODINGS: Readonly<Record<string, WriteEncoding>> = {
  __proto__: null as never,
  '': 'identity',
  identity: 'identity',
  gzip: 'gzip',
  zstd: 'zstd',
  snappy: 'snappy',
}

export function otlpRoute(app: Hono<Vars>, deps: ApiDeps): void {
  app.post('/api/v1/otlp/v1/metrics', async (c) => {
    if (!deps.otlpEnabled)
      return c.text('otlp write receiver needs to be enabled with --web.enable-otlp-receiver\n', 404)
    const type = (c.req.header('content-type') ?? '').split(';')[0]!.trim().toLowerCase()
    const isJson = type === 'application/json'
    if (!isJson && type !== 'application/x-protobuf')
      return c.text(`unsupported content type: ${type}, supported: [application/json, application/x-protobuf]\n`, 415)
    const named = (c.req.header('content-encoding') ?? '').toLowerCase()
    const encoding = ENCODINGS[named]
    if (encoding === undefined)
      return c.text(`unsupported compression: ${named}, supported: [gzip, zstd, snappy]\n`, 415)
    const body = await boundedBody(c)
    if (body === null) return c.text('the body is too large\n', 413)
    const { features } = deps.settings()
    const settings = {
      ...deps.otlpSettings(),
      ...(features.includes('otlp-native-delta-ingestion') && { allowDelta: true }),
      ...(features.includes('otlp-deltatocumulative') && { convertDelta: true }),
      ...(features.includes('type-and-unit-labels') && { typeAndUnitLabels: true }),
    }
    const { status, message, isPartial, rejectedPoints } = await deps.ingest.remoteWrite(body, {
      format: isJson ? 'otlp-json' : 'otlp',
      encoding,
      ...(Object.keys(settings).length > 0 && { settings }),
    })
    if (status === 429 || status === 503) return c.text(`${message}\n`, status, { 'retry-after': '5' })
    if (status === 400 && !isPartial) return c.text(`${message}\n`, 400)
    const answer = isJson ? jsonAnswer(message, rejectedPoints) : protoAnswer(message, rejectedPoints)
    return c.body(answer as Uint8Array<ArrayBuffer>, 200, { 'content-type': type })
  })
}

function jsonAnswer(problem: string, rejected: number): Uint8Array {
  // 64-bit numbers are texts in the JSON form of protobuf; none is left out.
  const points = rejected > 0 ? { rejectedDataPoints: String(rejected) } : {}
  const answer = problem === '' ? {} : { partialSuccess: { ...points, errorMessage: problem } }
  return new TextEncoder().encode(JSON.stringify(answer))
}

/** ExportMetricsServiceResponse: partial_success = 1 { rejected_data_points = 1, error_message = 2 }. */
function protoAnswer(problem: string, rejected: number): Uint8Array {
  if (problem === '') return new Uint8Array(0)
  const text = new TextEncoder().encode(problem)
  const points = rejected > 0 ? [0x08, ...varint(rejected)] : []
  const inner = [...points, 0x12, ...varint(text.length), ...text]
  return Uint8Array.from([0x0a, ...varint(inner.length), ...inner])
}

/** Of fewer than 2^31. */
function varint(value: number): number[] {
  const out: number[] = []
  for (; value > 127; value >>>= 7) out.push((value & 127) | 128)
  return [...out, value]
}
