/**
 * Discovery of services (`nats micro ls`, `info`, `stats`) on any bus: answers `$SRV.PING|INFO|STATS[.name[.id]]`.
 * Semantics: NATS ADR-32, service API v1.
 */
import type { Bus, BusMessage, Clock, Random } from '../../protocol/env/mod.ts'

export type ServiceEndpoint = {
  readonly name: string
  readonly subject: string
  /** Default `q`, as the official libraries have it. */
  readonly queue?: string
  readonly metadata?: Readonly<Record<string, string>>
  /** Throws or rejects to answer with an error. `request.payload` is valid until it returns. */
  readonly handle: (request: BusMessage) => Uint8Array | Promise<Uint8Array>
}

export type ServiceDescription = {
  /** Letters, digits, `-` and `_`. */
  readonly name: string
  /** SemVer. */
  readonly version: string
  readonly description?: string
  readonly metadata?: Readonly<Record<string, string>>
  readonly endpoints: readonly ServiceEndpoint[]
}

export interface Service {
  readonly id: string
  stop(): void
}

type EndpointStats = { requests: number; errors: number; lastError: string; processingMs: number }

const NAME = /^[A-Za-z0-9_-]+$/
const SEMVER = /^\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?$/
const DEFAULT_QUEUE = 'q'
const NANOS_PER_MS = 1e6

/** Subscribes the endpoints and answers discovery. @throws TypeError for a bad name or version */
export function announceService(
  bus: Bus,
  service: ServiceDescription,
  env: { readonly clock: Clock; readonly random: Random },
): Service {
  if (!NAME.test(service.name)) throw new TypeError(`Bad service name "${service.name}": use letters, digits, - and _`)
  if (!SEMVER.test(service.version)) throw new TypeError(`Bad service version "${service.version}": expected SemVer`)
  const id = [...env.random.bytes(11)].map((byte) => ID_DIGITS[byte & 31]).join('')
  const started = new Date(env.clock.now()).toISOString()
  const stats = service.endpoints.map((): EndpointStats => ({ requests: 0, errors: 0, lastError: '', processingMs: 0 }))
  const identity = { name: service.name, id, version: service.version, metadata: service.metadata ?? {} }
  const answers: Readonly<Record<string, () => object>> = {
    PING: () => ({ type: 'io.nats.micro.v1.ping_response', ...identity }),
    INFO: () => ({
      type: 'io.nats.micro.v1.info_response',
      ...identity,
      description: service.description ?? '',
      endpoints: service.endpoints.map(({ name, subject, queue = DEFAULT_QUEUE, metadata = {} }) => ({
        name,
        subject,
        queue_group: queue,
        metadata,
      })),
    }),
    STATS: () => ({
      type: 'io.nats.micro.v1.stats_response',
      ...identity,
      started,
      endpoints: service.endpoints.map((endpoint, i) => endpointStats(endpoint, stats[i]!)),
    }),
  }
  const discovery = Object.entries(answers).flatMap(([verb, answer]) =>
    [`$SRV.${verb}`, `$SRV.${verb}.${service.name}`, `$SRV.${verb}.${service.name}.${id}`].map((subject) =>
      bus.subscribe(subject, ({ reply }) => {
        if (reply !== '') bus.publish(reply, new TextEncoder().encode(JSON.stringify(answer())))
      }),
    ),
  )
  const serving = service.endpoints.map((endpoint, i) =>
    bus.subscribe(endpoint.subject, (request) => void serve(bus, endpoint, stats[i]!, env.clock, request), {
      queue: endpoint.queue ?? DEFAULT_QUEUE,
    }),
  )
  return {
    id,
    stop: () => {
      for (const subscription of [...discovery, ...serving]) subscription.unsubscribe()
    },
  }
}

const ID_DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

async function serve(
  bus: Bus,
  { handle }: ServiceEndpoint,
  stats: EndpointStats,
  clock: Clock,
  request: BusMessage,
): Promise<void> {
  const start = clock.monotonic()
  stats.requests++
  try {
    const answer = await handle(request)
    if (request.reply !== '') bus.publish(request.reply, answer)
  } catch (error) {
    stats.errors++
    stats.lastError = `500:${error instanceof Error ? error.message : String(error)}`
    refuse(bus, request.reply, stats.lastError)
  } finally {
    stats.processingMs += clock.monotonic() - start
  }
}

function refuse(bus: Bus, reply: string, lastError: string): void {
  const text = lastError.slice(4).replaceAll(/[\r\n]+/g, ' ')
  const headers = { 'Nats-Service-Error': text, 'Nats-Service-Error-Code': '500' }
  try {
    if (reply !== '') bus.publish(reply, new Uint8Array(0), { headers })
  } catch {
    // The bus closed meanwhile or the reply is no subject: there is nobody to tell, and the error is in the stats.
  }
}

function endpointStats({ name, subject, queue = DEFAULT_QUEUE }: ServiceEndpoint, stats: EndpointStats): object {
  const processing = Math.round(stats.processingMs * NANOS_PER_MS)
  return {
    name,
    subject,
    queue_group: queue,
    num_requests: stats.requests,
    num_errors: stats.errors,
    last_error: stats.lastError,
    processing_time: processing,
    average_processing_time: stats.requests === 0 ? 0 : Math.round(processing / stats.requests),
  }
}
