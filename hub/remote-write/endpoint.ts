/**
 * Requests of one endpoint on their way: a lane a shard, each with one request under way, which is sent until it is
 * taken, refused or given up. Semantics: Prometheus storage/remote/queue_manager.go, sendSamplesWithBackoff (v3.5).
 * Differs: `sample_age_limit` gives up whole requests here, when their newest sample is too old.
 */
import type { RemoteWriteQueue } from '../../protocol/config/mod.ts'
import type { Clock, HttpRequest, HttpResponse, Logger } from '../../protocol/env/mod.ts'
import { Histogram } from '../../protocol/exposition/mod.ts'
import { judge, type Verdict } from './answer.ts'
import { type Counts, FAMILIES_SHARD, type OutgoingRequest } from './messages.ts'
import { type Part, SplitRequest, sendInParts } from './split.ts'
import { addTo, newDrops, newTally } from './tally.ts'

/** How it is reached; a reload replaces it. */
export type Reach = {
  readonly url: string
  readonly timeoutMs: number
  readonly headers: Readonly<Record<string, string>>
  readonly queue: RemoteWriteQueue
  readonly request: (request: HttpRequest) => Promise<HttpResponse>
}

export type EndpointDeps = {
  readonly clock: Clock
  readonly log: Logger
  readonly userAgent: string
  /** The request is delivered, or given up. */
  readonly onAnswered: (id: number) => void
}

const MAX_ANSWER_BYTES = 1 << 20
const COMPLAIN_EVERY_MS = 60_000
/** As upstream's `sent_batch_duration_seconds`. */
const DURATION_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300]

type Answer = Exclude<Verdict, { kind: 'retry' }>
type Waiting = { readonly request: OutgoingRequest; isGivenUp: boolean }
type Lane = { readonly queue: Waiting[]; isBusy: boolean }

export class Endpoint {
  #reach: Reach
  /** By attempt, as upstream counts. */
  readonly sent = newTally()
  readonly failed = newTally()
  readonly retried = newTally()
  /** Besides what the remote-write thread drops. */
  readonly dropped = newDrops()
  readonly families = { sent: 0, failed: 0, retried: 0 }
  readonly bytes = { samples: 0, families: 0 }
  readonly durations = new Histogram(DURATION_BOUNDS)
  /** Seconds that requests with samples took, and samples that were delivered. */
  sendSeconds = 0
  delivered = 0
  highestSentMs = 0
  readonly #deps: EndpointDeps
  readonly #lanes = new Map<number, Lane>()
  /** Ended by `clear`. */
  #life = new AbortController()
  /** A receiver may ask for an hour's patience: what is given up meanwhile does not wait for it. */
  #pauses = new AbortController()
  #complainedMs = Number.NEGATIVE_INFINITY

  constructor(reach: Reach, deps: EndpointDeps) {
    this.#reach = reach
    this.#deps = deps
  }

  get reach(): Reach {
    return this.#reach
  }

  /** What waits for another try has it at once: the change may be what it waited for. */
  set reach(reach: Reach) {
    this.#reach = reach
    this.#endPauses()
  }

  receive(request: OutgoingRequest): void {
    let lane = this.#lanes.get(request.shard)
    if (!lane) this.#lanes.set(request.shard, (lane = { queue: [], isBusy: false }))
    lane.queue.push({ request, isGivenUp: false })
    if (!lane.isBusy) void this.#run(lane, this.#life.signal)
  }

  /** What waits is given up, and counted; what is under way, when it fails. */
  discard(): void {
    for (const { queue } of this.#lanes.values()) for (const waiting of queue) waiting.isGivenUp = true
    this.#endPauses()
  }

  /** Its requests are nobody's any more: what was not delivered comes again from the log, or is to be forgotten. */
  clear(): void {
    this.#life.abort()
    this.#life = new AbortController()
    this.#endPauses()
    this.#lanes.clear()
  }

  #endPauses(): void {
    this.#pauses.abort()
    this.#pauses = new AbortController()
  }

  async #run(lane: Lane, signal: AbortSignal): Promise<void> {
    lane.isBusy = true
    for (let next = lane.queue[0]; next; next = lane.queue[0]) {
      await this.#deliver(next, signal)
      if (signal.aborted) return
      lane.queue.shift()
      this.#deps.onAnswered(next.request.id)
    }
    lane.isBusy = false
  }

  async #deliver(waiting: Waiting, signal: AbortSignal): Promise<void> {
    const { request } = waiting
    const answer = await this.#answerTo(request, waiting, signal)
    if (answer === null) return
    if (this.#maySplit(request, answer)) await this.#deliverParts(waiting, answer, signal)
    else this.#settle(request, answer)
  }

  /** Sends it until it is taken or refused; null: it was given up, and counted, or nobody wants to know any more. */
  async #answerTo(request: OutgoingRequest, waiting: Waiting, signal: AbortSignal): Promise<Answer | null> {
    const { clock } = this.#deps
    let backoffMs = this.#reach.queue.minBackoffMs
    for (let attempt = 0; !signal.aborted; attempt++) {
      if (this.#isGivenUp(request, waiting.isGivenUp)) return null
      const verdict = await this.#attempt(request, attempt, signal)
      if (signal.aborted) return null
      if (verdict.kind !== 'retry') return verdict
      this.#count(this.retried, request, request.contents)
      this.#complain('The receiver does not take samples now; they are sent again', verdict.why)
      await pause(clock, Math.max(1, verdict.afterMs || backoffMs), this.#pauses.signal)
      backoffMs = Math.min(this.#reach.queue.maxBackoffMs, 2 * backoffMs)
    }
    return null
  }

  /**
   * Prometheus stores nothing of a request of 1.0 in which one sample is older than what it has: so it is with what is
   * sent again after a kill, along with what is new.
   */
  #maySplit({ contents, isVersion2 }: OutgoingRequest, answer: Answer): boolean {
    const isOne = contents.samples + contents.histograms <= 1
    return answer.kind === 'failed' && answer.status === 400 && !isVersion2 && !isOne && contents.families === 0
  }

  async #deliverParts(waiting: Waiting, { why }: Answer, signal: AbortSignal): Promise<void> {
    const { contents, ...rest } = waiting.request
    const requestOf = ({ body, contents: own }: Part): OutgoingRequest => ({
      ...rest,
      body,
      contents: { ...contents, ...own },
    })
    await sendInParts(new SplitRequest(waiting.request.body), waiting.request.mayBeThere, {
      send: async (part) => {
        const request = requestOf(part)
        const answer = await this.#answerTo(request, waiting, signal)
        if (answer === null) return 'over'
        if (answer.kind === 'failed') return 'refused'
        this.#settle(request, answer)
        return 'taken'
      },
      refuse: (part) => this.#settle(requestOf(part), { kind: 'failed', status: 400, refused: part.contents, why }),
      giveUp: (part) => void (signal.aborted || this.#isGivenUp(requestOf(part), waiting.isGivenUp)),
    })
  }

  /** And counts it. */
  #isGivenUp({ contents }: OutgoingRequest, isGivenUp: boolean): boolean {
    const { sampleAgeLimitMs } = this.#reach.queue
    const isOld =
      sampleAgeLimitMs > 0 && contents.samples + contents.histograms > 0
        ? contents.highestMs < this.#deps.clock.now() - sampleAgeLimitMs
        : false
    if (isOld) addTo(this.dropped.too_old, contents)
    else if (isGivenUp) addTo(this.dropped.backlog_too_large, contents)
    return isOld || isGivenUp
  }

  async #attempt(request: OutgoingRequest, attempt: number, signal: AbortSignal): Promise<Verdict> {
    const { clock, userAgent } = this.#deps
    const { url, timeoutMs, headers, queue } = this.#reach
    const { body, contents, isVersion2 } = request
    this.#count(this.sent, request, contents)
    const beganMs = clock.monotonic()
    try {
      const response = await this.#reach.request({
        method: 'POST',
        url,
        headers: {
          ...lowerCased(headers),
          'content-type': isVersion2
            ? 'application/x-protobuf;proto=io.prometheus.write.v2.Request'
            : 'application/x-protobuf',
          'content-encoding': 'snappy',
          'user-agent': userAgent,
          'x-prometheus-remote-write-version': isVersion2 ? '2.0.0' : '0.1.0',
          ...(attempt > 0 && { 'retry-attempt': String(attempt) }),
        },
        body,
        timeoutMs,
        maxBodyBytes: MAX_ANSWER_BYTES,
        // Differs: upstream takes the page that it is led to (of a login, say) for the receiver's.
        keepsMethod: true,
        signal,
      })
      return judge(response, contents, { isVersion2, retryOn429: queue.retryOn429, nowMs: clock.now() })
    } catch (error) {
      return { kind: 'retry', afterMs: 0, why: error instanceof Error ? error.message : String(error) }
    } finally {
      const seconds = (clock.monotonic() - beganMs) / 1000
      if (request.shard !== FAMILIES_SHARD) {
        this.durations.observe(seconds)
        this.sendSeconds += seconds
      }
    }
  }

  #settle(request: OutgoingRequest, verdict: Answer): void {
    const { contents, body } = request
    if (verdict.refused) {
      this.#count(this.failed, request, verdict.refused)
      this.#complain('Samples were not stored by the receiver', verdict.why, { ...verdict.refused })
    }
    if (verdict.kind === 'failed') return
    if (request.shard === FAMILIES_SHARD) {
      this.bytes.families += body.length
      return
    }
    this.bytes.samples += body.length
    this.delivered += contents.samples + contents.histograms
    if (contents.highestMs > this.highestSentMs) this.highestSentMs = contents.highestMs
  }

  #count(tally: Endpoint['sent'], request: OutgoingRequest, counts: Counts): void {
    addTo(tally, counts)
    const { families } = request.contents
    if (families === 0) return
    if (tally === this.sent) this.families.sent += families
    else if (tally === this.retried) this.families.retried += families
    else this.families.failed += families
  }

  /** Once a minute: a receiver that is down is down for every request. */
  #complain(message: string, why: string, fields: Readonly<Record<string, unknown>> = {}): void {
    const { clock, log } = this.#deps
    if (clock.monotonic() - this.#complainedMs < COMPLAIN_EVERY_MS) return
    this.#complainedMs = clock.monotonic()
    log.warn(message, { why, ...fields })
  }
}

/** Ends with the signal, too. */
function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      timer.cancel()
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = clock.setTimer(ms, end)
    signal.addEventListener('abort', end)
  })
}

const lowerCased = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
