/**
 * One HTTP exchange with every limit on: total time, header bytes, inflated body bytes, redirects. Failures are
 * `NetError`s in Go's words (`Get "http://…": context deadline exceeded`), since operators read them as a target's
 * last error.
 */
import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest, Agent as TlsAgent } from 'node:https'
import { createGunzip } from 'node:zlib'
import { type HttpRequest, type HttpResponse, NetError } from '../../protocol/env/mod.ts'
import { BufferGarbage } from './buffer-garbage.ts'
import { PagePool } from './net-collector.ts'
import { describeSocketError, errorCode } from './net-errors.ts'
import { clientTlsOptions } from './net-tls.ts'

const MAX_HEADER_BYTES = 64 * 1024
/** As Prometheus' scrape client (IdleConnTimeout in prometheus/common config/http_config.go). */
const IDLE_CONNECTION_MS = 300_000

export function createHttpClient(): { request: (request: HttpRequest) => Promise<HttpResponse>; close: () => void } {
  const agentOptions = { keepAlive: true, maxFreeSockets: 2, maxTotalSockets: Infinity, timeout: IDLE_CONNECTION_MS }
  const agents: Agents = {
    http: new Agent(agentOptions),
    https: new TlsAgent(agentOptions),
    pages: new PagePool(),
    garbage: new BufferGarbage(),
  }
  return {
    request: (request) => requestWithLimits(request, agents),
    close: () => {
      agents.http.destroy()
      agents.https.destroy()
    },
  }
}

type Agents = {
  readonly http: Agent
  readonly https: TlsAgent
  readonly pages: PagePool
  readonly garbage: BufferGarbage
}

type BodyRules = Pick<HttpRequest, 'maxBodyBytes' | 'onChunk'>

/** What the exchange is about to send: changes from redirect to redirect. */
type Hop = {
  readonly url: URL
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | undefined
  readonly tls: HttpRequest['tls']
  readonly unixSocket: string | undefined
}

async function requestWithLimits(request: HttpRequest, agents: Agents): Promise<HttpResponse> {
  const controller = new AbortController()
  const first = firstHop(request)
  const timer = setTimeout(
    () => controller.abort(new NetError('TIMEOUT', 'context deadline exceeded')),
    request.timeoutMs,
  )
  const onAbort = (): void => controller.abort(new NetError('ABORTED', 'context canceled'))
  if (request.signal?.aborted === true) onAbort()
  request.signal?.addEventListener('abort', onAbort)
  try {
    return await followRedirects(first, request, controller.signal, agents)
  } finally {
    clearTimeout(timer)
    request.signal?.removeEventListener('abort', onAbort)
  }
}

async function followRedirects(
  first: Hop,
  request: HttpRequest,
  signal: AbortSignal,
  agents: Agents,
): Promise<HttpResponse> {
  const maxRedirects = request.maxRedirects ?? 0
  let hop = first
  for (let followed = 0; ; followed++) {
    const response = await exchangeOnce(hop, request, signal, agents)
    const location = response.headers['location']
    if (maxRedirects === 0 || location === undefined || !REDIRECTS.has(response.status)) return response
    if (followed === maxRedirects)
      throw new NetError('TOO_MANY_REDIRECTS', `${goText(first)}: stopped after ${maxRedirects} redirects`)
    hop = nextHop(hop, response.status, location)
  }
}

/** A kept connection may die just as it is used again: what may be repeated is tried once more on a new one. */
async function exchangeOnce(hop: Hop, limits: BodyRules, signal: AbortSignal, agents: Agents): Promise<HttpResponse> {
  for (let attempt = 0; ; attempt++) {
    const sent: { request?: ClientRequest; answered?: boolean } = {}
    try {
      return await exchange(hop, limits, signal, agents, sent)
    } catch (error) {
      const stale = sent.request?.reusedSocket === true && sent.answered !== true && !signal.aborted
      if (!stale || attempt > 0 || !IDEMPOTENT.has(hop.method)) throw error
    }
  }
}

function exchange(
  hop: Hop,
  limits: BodyRules,
  signal: AbortSignal,
  agents: Agents,
  sent: { request?: ClientRequest; answered?: boolean },
): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    let request: ClientRequest
    const fail = (error: NetError): void => {
      signal.removeEventListener('abort', onAbort)
      request.destroy()
      reject(error)
    }
    // While headers are awaited Go names the URL; while the body is read it does not.
    const onAbort = (): void => {
      const { code, message } = signal.reason as NetError
      fail(new NetError(code, sent.answered === true ? message : `${goText(hop)}: ${message}`))
    }
    const onError = (error: unknown): void => {
      const { code, text } = describeSocketError(error, MAX_HEADER_BYTES)
      fail(new NetError(code, `${goText(hop)}: ${text}`, { cause: error }))
    }
    try {
      request = openRequest(hop, agents)
    } catch (error) {
      return reject(new NetError(errorCode(error), `${goText(hop)}: ${(error as Error).message}`, { cause: error }))
    }
    sent.request = request
    request.on('error', onError)
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort)
    request.on('response', (response) => {
      sent.answered = true
      readBody(hop.method, response, limits, agents).then((body) => {
        signal.removeEventListener('abort', onAbort)
        resolve({ status: response.statusCode ?? 0, headers: flatHeaders(response), body })
      }, fail)
    })
    request.end(hop.body)
  })
}

function openRequest(hop: Hop, agents: Agents): ClientRequest {
  const { url, method, headers } = hop
  const common = {
    protocol: url.protocol,
    hostname: url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname,
    port: url.port,
    path: url.pathname + url.search,
    method,
    headers: hop.body === undefined ? headers : { ...headers, 'content-length': String(hop.body.length) },
    maxHeaderSize: MAX_HEADER_BYTES,
  }
  if (hop.unixSocket !== undefined) return httpRequest({ ...common, socketPath: hop.unixSocket, agent: agents.http })
  if (url.protocol === 'http:') return httpRequest({ ...common, agent: agents.http })
  return httpsRequest({ ...common, agent: agents.https, ...clientTlsOptions(hop.tls) })
}

/** The whole body, inflated when it is gzip, never more than `maxBodyBytes` of either form in memory. */
function readBody(
  method: string,
  response: IncomingMessage,
  { maxBodyBytes, onChunk }: BodyRules,
  { pages, garbage }: Agents,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const tooLarge = (): NetError =>
      new NetError('BODY_TOO_LARGE', `Body is larger than the limit of ${maxBodyBytes} bytes`)
    const encoding = (response.headers['content-encoding'] ?? '').toLowerCase()
    const gzip = encoding === 'gzip' || encoding === 'x-gzip'
    const declared = Number(response.headers['content-length'] ?? 0)
    if (!gzip && method !== 'HEAD' && declared > maxBodyBytes) return reject(tooLarge())
    const collector = pages.collector(maxBodyBytes, gzip ? 0 : declared, () => {
      response.destroy()
      fail(new NetError('TOO_MANY_BYTES', 'Too many large bodies are being read at once, and this one was the largest'))
    })
    const inflate = gzip ? createGunzip({ chunkSize: 64 * 1024 }) : undefined
    const fail = (error: NetError): void => {
      inflate?.destroy() // gives zlib's memory back at once
      collector.discard()
      reject(error)
    }
    const body = inflate ?? response
    body.on('data', (chunk: Buffer) => {
      garbage.add(chunk.length)
      if (onChunk !== undefined && response.statusCode === 200) {
        try {
          onChunk(chunk)
        } catch (error) {
          response.destroy()
          fail(new NetError('REFUSED_BODY', (error as Error).message, { cause: error }))
        }
      } else if (!collector.push(chunk)) fail(tooLarge())
    })
    body.on('end', () => resolve(collector.finish()))
    response.on('error', (error) => {
      const { code, text } = describeSocketError(error, MAX_HEADER_BYTES)
      fail(new NetError(code, code === 'UNEXPECTED_EOF' ? 'unexpected EOF' : text, { cause: error }))
    })
    response.on('close', () => {
      if (!response.complete) fail(new NetError('UNEXPECTED_EOF', 'unexpected EOF'))
    })
    if (inflate === undefined) return
    let compressedBytes = 0
    response.on('data', (chunk: Buffer) => {
      compressedBytes += chunk.length
    })
    inflate.on('error', (error) => {
      // A 204 or an answer to HEAD may claim an encoding and carry nothing.
      if (response.complete && compressedBytes === 0) resolve(new Uint8Array(0))
      else fail(new NetError('BAD_ENCODING', `gzip: ${error.message}`, { cause: error }))
    })
    response.pipe(inflate)
  })
}

function flatHeaders(response: IncomingMessage): Record<string, string> {
  const out: Record<string, string> = {}
  for (const [name, value] of Object.entries(response.headers))
    if (value !== undefined) out[name] = Array.isArray(value) ? value.join(', ') : value
  return out
}

function firstHop(request: HttpRequest): Hop {
  const url = URL.canParse(request.url) ? new URL(request.url) : undefined
  if (url === undefined) throw new NetError('BAD_URL', `Cannot parse URL "${request.url}"`)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new NetError(
      'BAD_URL',
      `${goText({ method: request.method, url })}: unsupported protocol scheme "${url.protocol.slice(0, -1)}"`,
    )
  const headers: Record<string, string> = { 'accept-encoding': 'gzip' }
  for (const [name, value] of Object.entries(request.headers ?? {})) headers[name.toLowerCase()] = value
  if (url.username !== '' && headers['authorization'] === undefined) headers['authorization'] = basicAuth(url)
  return { url, method: request.method, headers, body: request.body, tls: request.tls, unixSocket: request.unixSocket }
}

function basicAuth(url: URL): string {
  const userInfo = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  return `Basic ${Buffer.from(userInfo).toString('base64')}`
}

/** Semantics: Go net/http redirectBehavior; the rules about credentials are stricter (see `mayKeepCredentials`). */
function nextHop(hop: Hop, status: number, location: string): Hop {
  if (!URL.canParse(location, hop.url))
    throw new NetError('BAD_URL', `${goText(hop)}: failed to parse Location header "${location}"`)
  const url = new URL(location, hop.url)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new NetError('BAD_URL', `${goText(hop)}: unsupported protocol scheme "${url.protocol.slice(0, -1)}"`)
  const keepsBody = status === 307 || status === 308
  const trusted = mayKeepCredentials(hop.url, url)
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(hop.headers)) {
    if (!trusted && CREDENTIAL_HEADER.test(name)) continue
    if (!keepsBody && name.startsWith('content-')) continue
    headers[name] = value
  }
  delete headers['host']
  const method = keepsBody || hop.method === 'HEAD' ? hop.method : 'GET'
  return {
    url,
    method,
    headers,
    body: keepsBody ? hop.body : undefined,
    tls: trusted ? hop.tls : withoutKey(hop.tls),
    // A daemon on a socket of this host may send us on within itself, never to another server.
    unixSocket: hop.unixSocket,
  }
}

/** The same host and port, or the same host moving from plain HTTP to TLS on the default ports. Never back. */
function mayKeepCredentials(from: URL, to: URL): boolean {
  if (from.hostname !== to.hostname) return false
  if (from.protocol === to.protocol) return from.port === to.port
  return from.protocol === 'http:' && from.port === '' && to.port === ''
}

function withoutKey(tls: HttpRequest['tls']): HttpRequest['tls'] {
  if (tls === undefined) return undefined
  const { cert: _cert, key: _key, serverName: _serverName, ...rest } = tls
  return rest
}

/** `Get "http://host/path"`, with a password masked as Go's URL.Redacted does. */
function goText({ method, url }: { readonly method: string; readonly url: URL }): string {
  const shown = new URL(url)
  if (shown.password !== '') shown.password = 'xxxxx'
  return `${method.slice(0, 1).toUpperCase()}${method.slice(1).toLowerCase()} "${shown.href}"`
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])
const CREDENTIAL_HEADER = /auth|cookie|token|secret|password|api-?key/i
