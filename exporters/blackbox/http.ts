/** The HTTP prober. Semantics: blackbox_exporter prober/http.go (v0.28). */
import {
  basicAuthOf,
  type HeaderList,
  isCredentialHeader,
  mayKeepCredentials,
  shownUrl,
} from '../../protocol/env/mod.ts'
import { CookieJar } from './cookies.ts'
import { checkBody, checkHeaders, decompressed, inflatedBytes, isKnownCompression } from './http-checks.ts'
import { httpDate } from './http-date.ts'
import { bareHost, type Hop, type HopAnswer, newTrace, requestHop, type Trace } from './http-hop.ts'
import { BodyBuffer, headerOf, headersOf } from './http1.ts'
import type { HttpProbe } from './modules.ts'
import { type ProbeContext, ProbeFailure, resolve, setTlsMetrics, step } from './probe.ts'

const MAX_REDIRECTS = 10
/**
 * Of bodies that are looked into: an expression takes up to 150 ms a MiB, in which nothing else of the process runs.
 * Upstream keeps whatever comes.
 */
const MAX_BODY_BYTES = 4 * 2 ** 20

export async function probeHttp(context: ProbeContext): Promise<void> {
  const { page, module, deps } = context
  const { http } = module
  page.register(
    ...(['probe_http_content_length', 'probe_http_uncompressed_body_length', 'probe_http_redirects'] as const),
    ...(['probe_http_ssl', 'probe_http_status_code', 'probe_http_version', 'probe_failed_due_to_regex'] as const),
  )
  if (http.failIfBodyJsonMatches || http.failIfBodyJsonNotMatches) page.register('probe_failed_due_to_cel')
  const target = /^https?:\/\//.test(context.target) ? context.target : `http://${context.target}`
  const url = await step('Could not parse target URL', context, () => new URL(target))
  if (http.enableHttp3) throw new ProbeFailure('HTTP/3 is not available: no QUIC in this runtime')
  const proxy = await step('Error generating HTTP client', context, () => deps.access.proxy(http.client, url.href))
  let address = ''
  if (!http.skipResolveWithProxy || !proxy) {
    const started = deps.clock.monotonic()
    try {
      address = (await resolve(context, bareHost(url), http.addressing)).address
    } finally {
      page.add('probe_http_duration_seconds', (deps.clock.monotonic() - started) / 1000, { phase: 'resolve' })
    }
  }
  const first = await firstHop(context, url, address, proxy)
  for (const phase of ['connect', 'tls', 'processing', 'transfer'])
    page.add('probe_http_duration_seconds', 0, { phase })
  const run = new HttpRun(context, first)
  try {
    await run.go()
  } finally {
    run.report()
  }
}

async function firstHop(context: ProbeContext, url: URL, address: string, proxy: Hop['proxy']): Promise<Hop> {
  const { http } = context.module
  const { access, version, readFile } = context.deps
  return step('Error generating HTTP client', context, async () => {
    const tls = access.tls(http.client.tls)
    const host = Object.entries(http.headers).find(([name]) => name.toLowerCase() === 'host')?.[1]
    const own = Object.entries(http.headers).filter(([name]) => name.toLowerCase() !== 'host')
    const given = new Map<string, [string, string]>()
    for (const [name, value] of Object.entries(await access.headers(http.client)))
      given.set(name, [canonicalName(name), value])
    const inUrl = basicAuthOf(url)
    if (inUrl !== '') given.set('authorization', ['Authorization', inUrl])
    for (const [name, value] of own) given.set(name.toLowerCase(), [name, value])
    if (!given.has('user-agent')) given.set('user-agent', ['User-Agent', `Blackbox Exporter/${version}`])
    const body =
      http.bodyFile !== '' ? readFile(http.bodyFile) : http.body === '' ? null : new TextEncoder().encode(http.body)
    return {
      method: http.method,
      url,
      host: host ?? url.host,
      address,
      headers: [...given.values()],
      body,
      tls,
      serverName: tls.serverName ?? (host === undefined ? bareHost(url) : host.replace(/:\d+$/, '')),
      offersHttp2: http.client.enableHttp2,
      proxy,
    }
  })
}

/** One probe's requests, over its redirects. */
class HttpRun {
  readonly #context: ProbeContext
  readonly #http: HttpProbe
  readonly #traces: Trace[] = []
  readonly #cookies = new CookieJar()
  #hop: Hop
  #redirects = 0
  #answer: HopAnswer | null = null
  #bodyBytes = 0

  constructor(context: ProbeContext, first: Hop) {
    this.#context = context
    this.#http = context.module.http
    this.#hop = first
  }

  /** @throws ProbeFailure */
  async go(): Promise<void> {
    const context = this.#context
    const { body, isRefused } = await this.#follow()
    const answer = this.#answer!
    context.log.info('Received HTTP response', { status_code: answer.status })
    const problems: ProbeFailure[] = []
    const check = (run: () => void): void => {
      if (problems.length > 0) return
      try {
        run()
      } catch (error) {
        if (!(error instanceof ProbeFailure)) throw error
        problems.push(error)
      }
    }
    check(() => this.#checkStatus(answer.status))
    check(() => checkHeaders(context, answer.headers))
    const readable = isRefused
      ? { bytes: null, error: new Error('http: read on closed response body') }
      : await this.#readable(body, answer)
    const isUnopened = readable.error instanceof ProbeFailure
    check(() => {
      if (isUnopened) throw readable.error
      if (isRefused && this.#http.compression !== '')
        failure('Failed to get decompressor for HTTP response body', { err: readable.error?.message ?? '' })
    })
    check(() => checkBody(context, readable))
    if (isUnopened) this.#bodyBytes = readable.isUnknown === true ? this.#bodyBytes : 0
    else if (readable.error !== null && !isRefused) {
      context.log.error('Failed to read HTTP response body', { err: readable.error.message })
      problems[0] = new ProbeFailure('Failed to read HTTP response body', { err: readable.error.message })
    }
    if (!isRefused) this.#bodyBytes = readable.bytes?.length ?? this.#bodyBytes
    this.#checkVersion(answer, problems)
    if (answer.session !== null && this.#http.failIfSsl) problems[0] = new ProbeFailure('Final request was over SSL')
    if (answer.session === null && this.#http.failIfNotSsl) check(() => failure('Final request was not over SSL'))
    if (problems[0]) throw problems[0]
  }

  async #follow(): Promise<{ readonly body: BodyBuffer | null; readonly isRefused: boolean }> {
    const { log } = this.#context
    for (;;) {
      const body = this.#wantsBody()
        ? new BodyBuffer(this.#http.compression === '' ? this.#maxBodyBytes() : MAX_BODY_BYTES)
        : null
      const answer = await this.#request(body)
      const location = headerOf(answer.headers, 'location')
      if (!isRedirect(answer.status) || location === '') return { body, isRefused: false }
      if (!URL.canParse(location, this.#hop.url.href)) {
        this.#forgetAnswer()
        const err = `failed to parse Location header ${JSON.stringify(location)}`
        throw new ProbeFailure('HTTP request failed', { err })
      }
      log.info('Received redirect', { location })
      this.#redirects++
      if (this.#redirects > MAX_REDIRECTS || !this.#http.client.followRedirects) {
        log.info('Not following redirect')
        return { body, isRefused: true }
      }
      for (const cookie of headersOf(answer.headers, 'set-cookie'))
        this.#cookies.take(this.#hop.url, cookie, this.#context.deps.clock.now())
      this.#forgetAnswer()
      this.#hop = this.#next(answer.status, new URL(location, this.#hop.url))
    }
  }

  /** Its body is not read to its end, and where the next one fails there is no answer, as upstream. */
  #forgetAnswer(): void {
    this.#traces.at(-1)!.end = Number.NaN
    this.#answer = null
  }

  async #request(body: BodyBuffer | null): Promise<HopAnswer> {
    const context = this.#context
    const hop = this.#cookies.onto(this.#hop)
    context.log.info('Making HTTP request', { url: shownUrl(hop.url), host: hop.host })
    const trace = newTrace(hop.url.protocol === 'https:')
    this.#traces.push(trace)
    this.#bodyBytes = 0
    const limit = this.#http.compression === '' ? this.#http.bodySizeLimit : 0
    const answer = await step('HTTP request failed', context, () =>
      requestHop(context, hop, trace, {
        wants: (status, headers) => !isRedirect(status) || headerOf(headers, 'location') === '',
        onChunk: (chunk) => {
          const length = this.#bodyBytes + chunk.length
          this.#bodyBytes = limit > 0 ? Math.min(length, limit) : length
          if (limit > 0 && length > limit) throw new Error('http: request body too large')
          body?.push(chunk)
        },
      }),
    )
    this.#answer = answer
    return answer
  }

  #next(status: number, url: URL): Hop {
    const context = this.#context
    const hop = this.#hop
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      throw new ProbeFailure('HTTP request failed', {
        err: `unsupported protocol scheme "${url.protocol.slice(0, -1)}"`,
      })
    const isSameHost = url.host === hop.url.host
    const keepsMethod = status === 307 || status === 308 || hop.method === 'GET' || hop.method === 'HEAD'
    const { access } = context.deps
    // Differs: upstream sends what the module says to wherever it is sent.
    const kept = mayKeepCredentials(hop.url, url) ? hop.headers : withoutCredentials(hop.headers, this.#http)
    const keepsBody = status === 307 || status === 308
    const plain = keepsBody ? kept : withoutBodyHeaders(kept)
    // One that the module says stays, as Go's client (since 1.21) has it.
    const headers = hasOwnReferer(this.#http) ? plain : withReferer(plain, hop.url, url)
    const inUrl = basicAuthOf(url)
    if (!isSameHost)
      context.log.info('Address does not match first address, not sending TLS ServerName', { address: url.host })
    return {
      ...hop,
      url,
      method: keepsMethod ? hop.method : 'GET',
      body: keepsBody ? hop.body : null,
      host: isSameHost ? hop.host : url.host,
      address: isSameHost ? hop.address : '',
      headers: inUrl === '' ? headers : [...withoutHeader(headers, 'authorization'), ['Authorization', inUrl]],
      serverName: isSameHost ? hop.serverName : bareHost(url),
      tls: isSameHost ? hop.tls : access.tls(this.#http.client.tls && { ...this.#http.client.tls, serverName: '' }),
      proxy: access.proxy(this.#http.client, url.href),
    }
  }

  #wantsBody(): boolean {
    const { failIfBodyMatches, failIfBodyNotMatches, failIfBodyJsonMatches, failIfBodyJsonNotMatches } = this.#http
    const hasChecks = failIfBodyMatches.length + failIfBodyNotMatches.length > 0
    return (
      hasChecks || failIfBodyJsonMatches !== null || failIfBodyJsonNotMatches !== null || this.#http.compression !== ''
    )
  }

  #maxBodyBytes(): number {
    return this.#http.bodySizeLimit > 0 ? Math.min(this.#http.bodySizeLimit, MAX_BODY_BYTES) : MAX_BODY_BYTES
  }

  async #readable(body: BodyBuffer | null, answer: HopAnswer): Promise<Readable> {
    if (answer.bodyError !== null || body === null) {
      const { compression } = this.#http
      if (compression !== '' && body !== null)
        this.#bodyBytes = await inflatedBytes(compression, body.bytes(), this.#maxBodyBytes())
      return { bytes: null, error: answer.bodyError }
    }
    if (this.#http.compression === '') return { bytes: body.bytes(), error: null }
    try {
      return { bytes: await decompressed(this.#http.compression, body.bytes(), this.#maxBodyBytes()), error: null }
    } catch (error) {
      if (error instanceof ProbeFailure)
        return { bytes: null, error, isUnknown: !isKnownCompression(this.#http.compression) }
      // As upstream, which counts what it had inflated when it stopped.
      const { compression } = this.#http
      if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') this.#bodyBytes = this.#maxBodyBytes()
      else this.#bodyBytes = await inflatedBytes(compression, body.bytes(), this.#maxBodyBytes())
      return { bytes: null, error: error as Error }
    }
  }

  #checkStatus(status: number): void {
    const { validStatusCodes } = this.#http
    if (validStatusCodes.length === 0) {
      if (status < 200 || status > 299)
        failure('Invalid HTTP response status code, wanted 2xx', { status_code: String(status) })
    } else if (!validStatusCodes.includes(status)) {
      this.#context.log.info('Valid status codes', { codes: validStatusCodes.join(' ') })
      failure('Invalid HTTP response status code', { status_code: String(status) })
    }
  }

  #checkVersion({ protocol }: HopAnswer, problems: ProbeFailure[]): void {
    const { validHttpVersions } = this.#http
    if (validHttpVersions.length > 0 && !validHttpVersions.includes(protocol))
      problems[0] = new ProbeFailure('Invalid HTTP version number', { version: protocol })
  }

  report(): void {
    const { page, log } = this.#context
    const answer = this.#answer
    this.#traces.forEach((trace, i) => {
      log.info('Response timings for roundtrip', { roundtrip: i, ...trace })
      this.#addTimes(trace, i)
    })
    page.set('probe_http_redirects', this.#redirects)
    page.set('probe_http_uncompressed_body_length', this.#bodyBytes)
    if (answer === null) return
    page.set('probe_http_status_code', answer.status)
    page.set('probe_http_content_length', answer.contentLength)
    page.set('probe_http_version', Number(answer.protocol.replace('HTTP/', '')))
    const modified = httpDate(headerOf(answer.headers, 'last-modified'))
    if (modified !== null) page.set('probe_http_last_modified_timestamp_seconds', modified)
    if (answer.session === null) return
    page.set('probe_http_ssl', 1)
    const isChecked = this.#http.client.tls?.insecureSkipVerify !== true
    setTlsMetrics(page, answer.session, { withCipher: true, withChainExpiry: true, isChecked })
  }

  #addTimes(trace: Trace, index: number): void {
    const add = (phase: string, from: number, to: number): void => {
      const seconds = (to - from) / 1000
      if (seconds > 0) this.#context.page.add('probe_http_duration_seconds', seconds, { phase })
    }
    if (index > 0) add('resolve', trace.start, trace.dnsDone)
    if (Number.isNaN(trace.gotConn)) return
    add('connect', trace.dnsDone, trace.isTls ? trace.connectDone : trace.gotConn)
    add('tls', trace.tlsStart, trace.tlsDone)
    add('processing', trace.gotConn, trace.responseStart)
    add('transfer', trace.responseStart, trace.end)
  }
}

function failure(reason: string, fields: Readonly<Record<string, string>> = {}): never {
  throw new ProbeFailure(reason, fields)
}

const isRedirect = (status: number): boolean => [301, 302, 303, 307, 308].includes(status)

type Readable = { readonly bytes: Uint8Array | null; readonly error: Error | null; readonly isUnknown?: boolean }

const hasOwnReferer = ({ headers }: HttpProbe): boolean =>
  Object.entries(headers).some(([name, value]) => name.toLowerCase() === 'referer' && value !== '')

/** Where it was before, as Go's client tells it: with no password, and not where that was secret. */
function withReferer(headers: HeaderList, from: URL, to: URL): HeaderList {
  if (from.protocol === 'https:' && to.protocol === 'http:') return withoutHeader(headers, 'referer')
  const plain = new URL(from)
  plain.username = ''
  plain.password = ''
  plain.hash = ''
  return [...withoutHeader(headers, 'referer'), ['Referer', plain.href]]
}

const withoutBodyHeaders = (headers: HeaderList): HeaderList =>
  headers.filter(([name]) => !/^content-(?:encoding|language|location|type)$/i.test(name))

/** `x-a` as `X-A`: names that were compared are written as Go writes them. */
const canonicalName = (name: string): string => name.replace(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase())

const withoutHeader = (headers: HeaderList, name: string): HeaderList =>
  headers.filter(([key]) => key.toLowerCase() !== name)

/** By their names, and by where the module has them from. */
function withoutCredentials(headers: HeaderList, { client }: HttpProbe): HeaderList {
  const secret = Object.entries(client.headers)
    .filter(([, { secrets, files }]) => secrets.length + files.length > 0)
    .map(([name]) => name.toLowerCase())
  return headers.filter(([name]) => !isCredentialHeader(name) && !secret.includes(name.toLowerCase()))
}
