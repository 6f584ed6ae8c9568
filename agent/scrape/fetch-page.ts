/**
 * One page from one target, by HTTP or from a collector in this process, within time and size.
 * Semantics: Prometheus scrape/scrape.go, targetScraper (v3.14).
 */
import { type Clock, type HttpRequest, type Net, NetError } from '../../protocol/env/mod.ts'
import { type MetricFamily, TEXT_CONTENT_TYPE, writeExposition } from '../../protocol/exposition/mod.ts'
import { acceptHeader } from './accept.ts'
import { PageJudge, type Verdict } from './page-judge.ts'
import {
  type CollectResult,
  type CollectSource,
  DEFAULT_BODY_LIMIT_BYTES,
  type HttpSource,
  type ScrapeTargetConfig,
  targetUrl,
} from './target.ts'

/** `body` is borrowed: it holds until the next turn of the event loop. */
export type Page = {
  readonly body: Uint8Array
  readonly contentType: string
  /** What the body says, where it comes from a collector of this process: then it is written when it is read. */
  readonly families?: readonly MetricFamily[]
  /** Why the body is empty: what had come was enough to refuse it. */
  readonly verdict?: Verdict
}

/** No page: the target's last error. */
export class FetchError extends Error {
  /** `crowded`: there was no memory left for large pages, and this was the largest. */
  readonly code: 'http_status' | 'body_size_limit' | 'crowded' | 'timeout' | 'aborted' | 'transport' | 'collector'
  constructor(code: FetchError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'FetchError'
    this.code = code
  }
}

export interface PageFetcher {
  /** @throws FetchError */
  fetchPage(config: ScrapeTargetConfig, signal: AbortSignal): Promise<Page>
}

/** @param userAgent for instance `Heliograph/1.0` */
export function httpFetcher(net: Net, userAgent: string): PageFetcher {
  const questions = new WeakMap<ScrapeTargetConfig, Question>()
  return {
    async fetchPage(config, signal) {
      const source = config.source as HttpSource
      let question = questions.get(config)
      if (question === undefined) questions.set(config, (question = questionOf(config, source, userAgent)))
      const { url, headers, proxy } = question
      let judge: PageJudge | null = null
      try {
        const response = await net.request({
          method: 'GET',
          url,
          headers: typeof source.headers === 'function' ? { ...headers, ...(await source.headers()) } : headers,
          timeoutMs: config.timeoutMs,
          maxBodyBytes: largestBody(config),
          maxRedirects: source.followRedirects ? 10 : 0,
          ...(source.tls === null ? {} : { tls: source.tls }),
          ...(proxy === undefined ? {} : { proxy }),
          ...(source.enableHttp2 ? { http2: true } : {}),
          borrowBody: true,
          judge: (piece, { 'content-type': contentType = '' }) =>
            (judge ??= new PageJudge(config, contentType)).take(piece),
          signal,
        })
        if (response.status !== 200) {
          const text = STATUS_TEXTS[response.status]
          throw new FetchError(
            'http_status',
            `server returned HTTP status ${response.status}${text === undefined ? '' : ` ${text}`}`,
          )
        }
        const verdict = (judge as PageJudge | null)?.verdict() ?? null
        const contentType = response.headers['content-type'] ?? ''
        return { body: response.body, contentType, ...(verdict !== null && { verdict }) }
      } catch (error) {
        throw error instanceof NetError ? fromNetError(error) : error
      }
    },
  }
}

/** What is the same for every scrape of a target. */
type Question = {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly proxy: HttpRequest['proxy']
}

function questionOf(config: ScrapeTargetConfig, source: HttpSource, userAgent: string): Question {
  // On one host compressing costs both sides more than it saves (bench/agent/fetch.bench.ts).
  const url = targetUrl(source)
  const proxy = source.proxyFor(url)
  const isCompressed = source.enableCompression && (proxy !== undefined || !isLoopback(source.address))
  return {
    url,
    proxy,
    // Frozen: the client remembers what it made of them.
    headers: Object.freeze({
      Accept: acceptHeader(config.protocols, config.escaping),
      'Accept-Encoding': isCompressed ? 'gzip' : 'identity',
      'User-Agent': userAgent,
      'X-Prometheus-Scrape-Timeout-Seconds': String(config.timeoutMs / 1000),
      ...(typeof source.headers === 'function' ? {} : source.headers),
    }),
  }
}

/** @param address host:port */
function isLoopback(address: string): boolean {
  const host = address.replace(/:\d+$/, '')
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
}

const CODES: Readonly<Record<string, FetchError['code']>> = {
  TIMEOUT: 'timeout',
  ABORTED: 'aborted',
  TOO_MANY_BYTES: 'crowded',
}

function fromNetError(error: NetError): FetchError {
  if (error.code === 'BODY_TOO_LARGE') {
    return new FetchError('body_size_limit', 'body size limit exceeded', { cause: error })
  }
  return new FetchError(CODES[error.code] ?? 'transport', error.message, { cause: error })
}

/** A collector that hangs is waited for no longer than the timeout, and never run twice at once. */
export function collectFetcher(clock: Clock): PageFetcher {
  let isRunning = false
  return {
    async fetchPage(config, signal) {
      const source = config.source as CollectSource
      if (isRunning) {
        throw new FetchError('collector', `Collector ${source.name} has not answered since its last scrape`)
      }
      isRunning = true
      const result = collect(source).finally(() => {
        isRunning = false
      })
      const answer = await withDeadline(clock, config.timeoutMs, signal, result)
      const page = answer instanceof Uint8Array ? null : new FamiliesPage(answer)
      if (page !== null && page.bytesMax <= largestBody(config)) return page
      const body = page?.body ?? (answer as Uint8Array)
      if (body.length > largestBody(config)) throw new FetchError('body_size_limit', 'body size limit exceeded')
      return page ?? { body, contentType: TEXT_CONTENT_TYPE }
    },
  }
}

async function collect(source: CollectSource): Promise<CollectResult> {
  try {
    return await source.collect()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new FetchError('collector', `Collector ${source.name} failed: ${reason}`, { cause: error })
  }
}

function withDeadline<T>(clock: Clock, timeoutMs: number, signal: AbortSignal, result: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      timer.cancel()
      reject(new FetchError('aborted', 'context canceled'))
    }
    const timer = clock.setTimer(timeoutMs, () => {
      signal.removeEventListener('abort', onAbort)
      reject(new FetchError('timeout', 'context deadline exceeded'))
    })
    signal.addEventListener('abort', onAbort, { once: true })
    const settle = (): void => {
      timer.cancel()
      signal.removeEventListener('abort', onAbort)
    }
    result.then(
      (value) => {
        settle()
        resolve(value)
      },
      (error: unknown) => {
        settle()
        reject(error)
      },
    )
  })
}

/** More than any line of a collector has, by far. */
const LINE_BYTES_MAX = 1024

class FamiliesPage implements Page {
  readonly contentType = TEXT_CONTENT_TYPE
  readonly families: readonly MetricFamily[]
  #body: Uint8Array | null = null

  constructor(families: readonly MetricFamily[]) {
    this.families = families
  }

  get bytesMax(): number {
    return LINE_BYTES_MAX * this.families.reduce((lines, { metrics }) => lines + 2 + metrics.length, 0)
  }

  get body(): Uint8Array {
    this.#body ??= writeExposition(this.families)
    return this.#body
  }
}

/** A body that reaches the limit is refused already, as upstream. */
const largestBody = ({ limits }: ScrapeTargetConfig): number =>
  (limits.bodyBytes === 0 ? DEFAULT_BODY_LIMIT_BYTES : limits.bodyBytes) - 1

const STATUS_TEXTS: Readonly<Record<number, string>> = {
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  206: 'Partial Content',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  408: 'Request Timeout',
  410: 'Gone',
  413: 'Request Entity Too Large',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
}
