/** One request on its way: the first as it was asked for, then one for each redirect. */
import {
  basicAuthOf,
  type HttpRequest,
  isCredentialHeader,
  mayKeepCredentials,
  NetError,
  shownUrl,
} from '../../protocol/env/mod.ts'
import type { Route } from './net-http-connection.ts'

/** What the exchange is about to send: changes from redirect to redirect. */
export type Hop = Route & {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | undefined
  /** As `HttpRequest.http2`. */
  readonly http2: boolean
}

/**
 * First hops of requests that are repeated: whoever freezes the headers says that they never change, and asks the same
 * again with the same object. Hot: bench/agent/http.bench.ts
 */
export class FirstHops {
  readonly #known = new WeakMap<object, { readonly url: string; readonly hop: Hop }>()

  /** @throws NetError `BAD_URL` */
  of(request: HttpRequest): Hop {
    const { headers, url } = request
    if (headers === undefined || request.body !== undefined || !Object.isFrozen(headers)) return firstHop(request)
    const known = this.#known.get(headers)
    if (known !== undefined && known.url === url && isSameWay(known.hop, request)) return known.hop
    const hop = firstHop(request)
    this.#known.set(headers, { url, hop })
    return hop
  }
}

function isSameWay(hop: Hop, { method, tls, unixSocket, proxy, http2 = false }: HttpRequest): boolean {
  return (
    hop.method === method &&
    hop.tls === tls &&
    hop.unixSocket === unixSocket &&
    hop.proxy === proxy &&
    hop.http2 === http2
  )
}

export function firstHop(request: HttpRequest): Hop {
  const url = URL.canParse(request.url) ? new URL(request.url) : undefined
  if (url === undefined) throw new NetError('BAD_URL', `Cannot parse URL "${request.url}"`)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new NetError(
      'BAD_URL',
      `${goText({ method: request.method, url })}: unsupported protocol scheme "${url.protocol.slice(0, -1)}"`,
    )
  const headers: Record<string, string> = { 'accept-encoding': 'gzip' }
  for (const [name, value] of Object.entries(request.headers ?? {})) headers[name.toLowerCase()] = value
  if (url.username !== '' && headers['authorization'] === undefined) headers['authorization'] = basicAuthOf(url)
  const { method, body, tls, unixSocket, proxy, http2 = false } = request
  return { url, method, headers, body, tls, unixSocket, proxy, http2, alpn: alpnFor(url, http2) }
}

const alpnFor = ({ protocol }: URL, http2: boolean): Hop['alpn'] =>
  http2 && protocol === 'https:' ? 'http/1.1' : undefined

/** Others make a GET of what is no HEAD. */
export const keepsBody = (status: number): boolean => status === 307 || status === 308

/** Semantics: Go net/http redirectBehavior; the rules about credentials are stricter (see `mayKeepCredentials`). */
export function nextHop(hop: Hop, status: number, location: string): Hop {
  if (!URL.canParse(location, hop.url))
    throw new NetError('BAD_URL', `${goText(hop)}: failed to parse Location header "${location}"`)
  const url = new URL(location, hop.url)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new NetError('BAD_URL', `${goText(hop)}: unsupported protocol scheme "${url.protocol.slice(0, -1)}"`)
  if (isLinkLocal(url.hostname) && !isLinkLocal(hop.url.hostname))
    throw new NetError('REFUSED_REDIRECT', `${goText(hop)}: redirect to the link-local address ${url.host} refused`)
  const trusted = mayKeepCredentials(hop.url, url)
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(hop.headers)) {
    if (!trusted && isCredentialHeader(name)) continue
    if (!keepsBody(status) && name.startsWith('content-')) continue
    headers[name] = value
  }
  delete headers['host']
  const method = keepsBody(status) || hop.method === 'HEAD' ? hop.method : 'GET'
  return {
    url,
    method,
    headers,
    body: keepsBody(status) ? hop.body : undefined,
    tls: trusted ? hop.tls : withoutKey(hop.tls),
    // A daemon on a socket of this host may send us on within itself, never to another server.
    unixSocket: hop.unixSocket,
    proxy: hop.proxy,
    http2: hop.http2,
    alpn: alpnFor(url, hop.http2),
  }
}

/**
 * 169.254.0.0/16 and fe80::/10: where clouds hand credentials to whoever asks from within the host. Differs: Go goes
 * there.
 */
function isLinkLocal(hostname: string): boolean {
  return /^169\.254\.|^\[fe[89ab][0-9a-f]:|^\[::ffff:a9fe:/i.test(hostname)
}

function withoutKey(tls: HttpRequest['tls']): HttpRequest['tls'] {
  if (tls === undefined) return undefined
  const { cert: _cert, key: _key, serverName: _serverName, ...rest } = tls
  return rest
}

/** `Get "http://host/path"`, with a password masked as Go's URL.Redacted does. */
export function goText({ method, url }: { readonly method: string; readonly url: URL }): string {
  return `${method.slice(0, 1).toUpperCase()}${method.slice(1).toLowerCase()} "${shownUrl(url)}"`
}
