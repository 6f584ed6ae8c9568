/**
 * `/api/v1/read`: remote read, in samples and in streamed chunks.
 * Semantics: Prometheus storage/remote/read_handler.go (v3.5). Differs: a bad regular expression is 400, not 500.
 */
import type { Hono } from 'hono'
import { EMPTY_LABELS, labelValue } from '../../protocol/labels/mod.ts'
import {
  assembleReadResponse,
  decodeReadRequest,
  negotiate,
  type ReadQuery,
  type ReadRequest,
  RemoteReadError,
  type ResponseType,
  type ResultPiece,
} from '../../protocol/remote-read/mod.ts'
import { ApiError, ERROR_STATUS, type WorkerAnswer } from '../query/mod.ts'
import type { Ctx, Vars } from './app.ts'
import { hostOf } from './client.ts'
import type { ApiDeps } from './deps.ts'
import { Gate } from './gate.ts'
import type { HttpMetrics } from './http-metrics.ts'
import { boundedBody } from './write-route.ts'

const STREAMED_TYPE = 'application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse'
/** Of an answer in samples, which must be whole before it can be sent; streamed chunks have no such limit. */
const MAX_RAW_BYTES = 1 << 30

export function readRoute(app: Hono<Vars>, deps: ApiDeps, http: HttpMetrics): void {
  const limit = (name: string): number => Number(deps.flags[name] ?? 0)
  const gate = new Gate(limit('storage.remote.read-concurrent-limit'))
  http.remoteReads = () => gate.count
  app.post('/api/v1/read', async (c) => {
    const leave = await gate.enter(c.env.signal)
    if (leave === null)
      return c.text('too many remote reads are waiting; try again later\n', 503, { 'retry-after': '5' })
    let isStreaming = false
    try {
      const body = await boundedBody(c)
      if (body === null) return c.text('the request is too large\n', 400)
      const request = decodeReadRequest(body)
      const read = new Read(c, deps, {
        sampleLimit: limit('storage.remote.read-sample-limit'),
        maxBytesInFrame: limit('storage.remote.read-max-bytes-in-frame'),
      })
      if (negotiate(request.accepted) === 'SAMPLES') return await read.samples(request)
      const stream = await read.stream(request, leave)
      isStreaming = true
      return stream
    } catch (error) {
      if (error instanceof RemoteReadError) return c.text(`${error.message}\n`, 400)
      if (error instanceof ApiError) return c.text(`${error.message}\n`, ERROR_STATUS[error.type] as 400)
      throw error
    } finally {
      if (!isStreaming) leave()
    }
  })
}

type Limits = { readonly sampleLimit: number; readonly maxBytesInFrame: number }

/** One request under way. */
class Read {
  readonly #c: Ctx
  readonly #deps: ApiDeps
  readonly #limits: Limits

  constructor(c: Ctx, deps: ApiDeps, limits: Limits) {
    this.#c = c
    this.#deps = deps
    this.#limits = limits
  }

  async samples({ queries }: ReadRequest): Promise<Response> {
    const results: ResultPiece[][] = []
    let rawBytes = 0
    for (const [index, query] of queries.entries()) {
      const pieces: ResultPiece[] = []
      for await (const { body, read } of this.#slices(query, index, 'SAMPLES')) {
        pieces.push({ rawBytes: read!.rawBytes, compressed: body })
        rawBytes += read!.rawBytes
        if (rawBytes > MAX_RAW_BYTES)
          throw new ApiError(
            'execution',
            `the answer exceeds ${MAX_RAW_BYTES} bytes; ask for STREAMED_XOR_CHUNKS, or for less`,
          )
      }
      results.push(pieces)
    }
    return new Response(assembleReadResponse(results) as Uint8Array<ArrayBuffer>, {
      headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
    })
  }

  /** The first slice is there before the status is given, so that most errors have one. @param onEnd called once */
  async stream({ queries }: ReadRequest, onEnd: () => void): Promise<Response> {
    const slices = this.#allSlices(queries)
    const first = await slices.next()
    let pending: IteratorResult<WorkerAnswer> | null = first
    const body = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          try {
            for (;;) {
              const { done, value } = pending ?? (await slices.next())
              pending = null
              if (done) {
                controller.close()
                onEnd()
                return
              }
              if (value.body.length === 0) continue
              controller.enqueue(value.body)
              return
            }
          } catch (error) {
            this.#deps.log.warn('A streamed remote read was cut short', { err: error })
            onEnd()
            controller.error(error)
          }
        },
        cancel: () => onEnd(),
      },
      { highWaterMark: 1 },
    )
    return new Response(body, { headers: { 'content-type': STREAMED_TYPE } })
  }

  async *#allSlices(queries: readonly ReadQuery[]): AsyncGenerator<WorkerAnswer, undefined> {
    for (const [index, query] of queries.entries()) yield* this.#slices(query, index, 'STREAMED_XOR_CHUNKS')
  }

  /** @throws ApiError */
  async *#slices(query: ReadQuery, queryIndex: number, type: ResponseType): AsyncGenerator<WorkerAnswer, undefined> {
    const { query: service, queryTimeoutMs, externalLabels } = this.#deps
    const external = externalLabels()
    // What is asked of a label that we add ourselves is true of every series.
    const matchers = query.matchers.filter(({ name, op, value }) => op !== '=' || labelValue(external, name) !== value)
    // As upstream, which has no postings then.
    if (matchers.length === 0) return
    let after: readonly string[] | null = null
    let samplesBefore = 0
    do {
      const answer: WorkerAnswer = await service.run(
        {
          kind: 'remote-read',
          form: type === 'SAMPLES' ? 'samples' : 'chunks',
          matchers,
          startMs: query.startMs,
          endMs: query.endMs,
          after,
          externalLabels: external.length > 0 ? external : EMPTY_LABELS,
          queryIndex,
          ...this.#limits,
          samplesBefore,
        },
        { timeoutMs: queryTimeoutMs, signal: this.#c.env.signal, client: hostOf(this.#c.env.remoteAddress) },
      )
      if (answer.error || !answer.read)
        throw new ApiError(answer.error?.type ?? 'internal', answer.error?.message ?? 'no answer')
      yield answer
      after = answer.read.next
      samplesBefore += answer.read.samples
    } while (after !== null)
  }
}
