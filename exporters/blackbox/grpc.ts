/**
 * The gRPC prober: one call of grpc.health.v1.Health/Check over HTTP/2. Semantics: blackbox_exporter prober/grpc.go
 * (v0.28); github.com/grpc/grpc doc/PROTOCOL-HTTP2.md, doc/health-checking.md.
 */
import { joinBytes } from '../../protocol/bytes/mod.ts'
import { type HeaderList, NetError, type TlsSession } from '../../protocol/env/mod.ts'
import { bareHost } from './http-hop.ts'
import { headerOf } from './http1.ts'
import { joinHostPort, leftMs, type ProbeContext, ProbeFailure, resolve, setTlsMetrics, step } from './probe.ts'

const SERVING_STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const
const MAX_ANSWER_BYTES = 64 * 1024
/** Codes of gRPC that are told where no answer says one. */
const UNKNOWN = 2
const DEADLINE_EXCEEDED = 4
const UNAVAILABLE = 14

export async function probeGrpc(context: ProbeContext): Promise<void> {
  const { page, module, deps } = context
  const { grpc } = module
  page.add('probe_grpc_duration_seconds', 0, { phase: 'resolve' })
  page.register('probe_grpc_ssl', 'probe_grpc_status_code')
  const text = /^https?:\/\//.test(context.target) ? context.target : `http://${context.target}`
  const url = await step('Could not parse target URL', context, () => new URL(text))
  const tls = await step('Error creating TLS configuration', context, () => deps.access.tls(grpc.tlsConfig))
  const host = bareHost(url)
  const { address, seconds } = await resolve(context, host, grpc.addressing)
  page.add('probe_grpc_duration_seconds', seconds, { phase: 'resolve' })
  // The scheme of the target says nothing, and a port that is its default is left out of the URL.
  const port = Number(/:(\d+)(?:[/?#]|$)/.exec(text.replace(/^https?:\/\//, ''))?.[1] ?? (grpc.tls ? 443 : 80))
  const started = deps.clock.monotonic()
  let outcome: Outcome
  try {
    outcome = await call(context, { host, address, port, tls })
  } catch (error) {
    const err = error as Error
    const code = err instanceof NetError && err.code === 'TIMEOUT' ? DEADLINE_EXCEEDED : UNAVAILABLE
    outcome = { code, serving: null, session: null, problem: err.message }
  }
  page.set('probe_grpc_duration_seconds', (deps.clock.monotonic() - started) / 1000, { phase: 'check' })
  for (const status of SERVING_STATUSES)
    page.set('probe_grpc_healthcheck_response', status === outcome.serving ? 1 : 0, { serving_status: status })
  page.set('probe_grpc_status_code', outcome.code)
  // As upstream: the connection is told of by a call that was answered.
  if (outcome.session !== null && outcome.serving !== null) {
    page.set('probe_grpc_ssl', 1)
    setTlsMetrics(page, outcome.session, { isChecked: grpc.tlsConfig?.insecureSkipVerify !== true })
  }
  if (outcome.code === 0 && outcome.serving === 'SERVING') {
    context.log.debug('connect the grpc server successfully')
    return
  }
  throw new ProbeFailure("can't connect grpc server:", {
    err: outcome.problem,
    code: outcome.code,
    serving_status: outcome.serving ?? '',
  })
}

type Outcome = {
  readonly code: number
  readonly serving: (typeof SERVING_STATUSES)[number] | null
  readonly session: TlsSession | null
  readonly problem: string
}

type Place = {
  readonly host: string
  readonly address: string
  readonly port: number
  readonly tls: Parameters<ProbeContext['deps']['net']['startTls']>[1]['tls']
}

async function call(context: ProbeContext, { host, address, port, tls }: Place): Promise<Outcome> {
  const { deps, module } = context
  const { service, metadata, tls: usesTls } = module.grpc
  let socket = await deps.net.connect({ host: address, port }, { timeoutMs: leftMs(context) })
  let session: TlsSession | null = null
  if (usesTls) {
    const started = await deps.net.startTls(socket, { host, tls, timeoutMs: leftMs(context), alpn: ['h2'] })
    socket = started.socket
    session = started.session
  }
  const chunks: Uint8Array[] = []
  let total = 0
  const { status, headers, trailers } = await deps.net.exchangeHttp2(socket, {
    method: 'POST',
    scheme: usesTls ? 'https' : 'http',
    authority: joinHostPort(host, port),
    path: '/grpc.health.v1.Health/Check',
    headers: [
      ['content-type', 'application/grpc'],
      ['te', 'trailers'],
      ['user-agent', `Blackbox Exporter/${deps.version}`],
      ['grpc-timeout', `${Math.ceil(leftMs(context))}m`],
      ...Object.entries(metadata).flatMap(([name, values]) => values.map((value) => [name, value] as const)),
    ],
    body: healthRequest(service),
    timeoutMs: leftMs(context),
    onChunk: (chunk) => {
      total += chunk.length
      if (total > MAX_ANSWER_BYTES) throw new NetError('BODY_TOO_LARGE', 'the answer is too large')
      chunks.push(chunk)
    },
  })
  if (status !== 200)
    return { code: codeOfHttp(status), serving: null, session, problem: `unexpected HTTP status code ${status}` }
  // Without a message the trailers are the only headers.
  const said = headerOf(trailers, 'grpc-status') || headerOf(headers, 'grpc-status')
  const code = /^\d{1,3}$/.test(said) ? Number(said) : UNKNOWN
  if (code !== 0) return { code, serving: null, session, problem: messageOf(trailers, headers) }
  const serving = servingStatus(joinBytes(chunks))
  return { code, serving, session, problem: serving === null ? 'the answer cannot be read' : '' }
}

function messageOf(...lists: readonly HeaderList[]): string {
  const text = lists.map((list) => headerOf(list, 'grpc-message')).find((message) => message !== '') ?? ''
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** doc/http-grpc-status-mapping.md. */
function codeOfHttp(status: number): number {
  const codes: Readonly<Record<number, number>> = {
    400: 13,
    401: 16,
    403: 7,
    404: 12,
    429: 14,
    502: 14,
    503: 14,
    504: 14,
  }
  return codes[status] ?? UNKNOWN
}

/** HealthCheckRequest { string service = 1 } in gRPC's frame of five bytes. */
function healthRequest(service: string): Uint8Array {
  const name = new TextEncoder().encode(service)
  const message = name.length === 0 ? name : Uint8Array.from([0x0a, ...varint(name.length), ...name])
  const out = new Uint8Array(5 + message.length)
  new DataView(out.buffer).setUint32(1, message.length)
  out.set(message, 5)
  return out
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)]
}

/** HealthCheckResponse { ServingStatus status = 1 }; the first value is not sent. null: no such message. */
export function servingStatus(body: Uint8Array): (typeof SERVING_STATUSES)[number] | null {
  if (body.length < 5 || body[0] !== 0) return null
  const length = new DataView(body.buffer, body.byteOffset).getUint32(1)
  const message = body.subarray(5, 5 + length)
  if (message.length !== length) return null
  if (length === 0) return 'UNKNOWN'
  return message[0] === 0x08 ? (SERVING_STATUSES[message[1] ?? 0] ?? 'UNKNOWN') : null
}
