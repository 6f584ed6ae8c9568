/**
 * How a job or a discovery speaks to an HTTP server: credentials, OAuth 2, TLS files, proxies.
 * Semantics: prometheus/common config/http_config.go.
 */
import type { HttpClientConfig, Oauth2Config, TlsConfig } from '../../protocol/config/mod.ts'
import {
  type Clock,
  type HttpRequest,
  type HttpResponse,
  type Net,
  NetError,
  type TlsVersion,
} from '../../protocol/env/mod.ts'
import { OauthTokens } from './oauth.ts'
import { proxyFor } from './proxy.ts'

/** Reads a file of credentials or certificates; throws when it cannot. */
export type ReadText = (path: string) => string

export type Headers = Readonly<Record<string, string>>

/** Null when no request needs any. Files are read anew before every request, so that rotated credentials count at once. */
export function credentialHeaders(http: HttpClientConfig, readText: ReadText): (() => Headers) | null {
  const { basicAuth, authorization, headers } = http
  const extra = Object.entries(headers)
  if (!basicAuth && !authorization && extra.length === 0) return null
  return () => {
    const out: Record<string, string> = {}
    for (const [name, { values, secrets, files }] of extra) {
      out[name.toLowerCase()] = [
        ...values,
        ...secrets.map((secret) => secret.reveal()),
        ...files.map((file) => readText(file).trim()),
      ].join(', ')
    }
    if (basicAuth) {
      const user = basicAuth.usernameFile ? readText(basicAuth.usernameFile).trim() : basicAuth.username
      const password = basicAuth.passwordFile ? readText(basicAuth.passwordFile).trim() : basicAuth.password.reveal()
      out['authorization'] = basicCredentials(user, password)
    } else if (authorization) {
      const credentials = authorization.credentialsFile
        ? readText(authorization.credentialsFile).trim()
        : authorization.credentials.reveal()
      out['authorization'] = `${authorization.type} ${credentials}`
    }
    return out
  }
}

export function basicCredentials(user: string, password: string): string {
  let binary = ''
  for (const byte of new TextEncoder().encode(`${user}:${password}`)) binary += String.fromCharCode(byte)
  return `Basic ${btoa(binary)}`
}

/** @throws Error naming the file that cannot be read */
export function tlsOptions(tls: TlsConfig | null, readText: ReadText): NonNullable<HttpRequest['tls']> | null {
  if (!tls) return null
  const file = (path: string, inline: string): string | undefined => {
    if (path === '') return inline === '' ? undefined : inline
    try {
      return readText(path)
    } catch (error) {
      throw new Error(`cannot read ${JSON.stringify(path)}: ${(error as Error).message}`, { cause: error })
    }
  }
  const ca = file(tls.caFile, tls.ca)
  const cert = file(tls.certFile, tls.cert)
  const key = file(tls.keyFile, tls.key.reveal())
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(tls.serverName !== '' && { serverName: tls.serverName }),
    ...(tls.minVersion !== '' && { minVersion: TLS_VERSIONS[tls.minVersion]! }),
    ...(tls.maxVersion !== '' && { maxVersion: TLS_VERSIONS[tls.maxVersion]! }),
    insecureSkipVerify: tls.insecureSkipVerify,
  }
}

const TLS_VERSIONS: Readonly<Record<string, TlsVersion>> = {
  TLS10: 'TLSv1',
  TLS11: 'TLSv1.1',
  TLS12: 'TLSv1.2',
  TLS13: 'TLSv1.3',
}

export type AccessDeps = {
  readonly net: Net
  readonly clock: Clock
  /** Paths as they stand in the configuration. */
  readonly readText: ReadText
  /** Where relative paths of the configuration begin. */
  readonly directory?: string
  /** The label that holds the path of a target; `__metrics_path__`. */
  readonly pathLabel?: string
  /** Tokens outlive the targets that are made anew at every change. */
  readonly tokens: WeakMap<Oauth2Config, OauthTokens>
  /** For `proxy_from_environment`. */
  readonly environment?: Readonly<Record<string, string | undefined>>
}

export function tokensOf(config: Oauth2Config, deps: AccessDeps): OauthTokens {
  const known = deps.tokens.get(config)
  if (known) return known
  const tokens = new OauthTokens(config, deps)
  deps.tokens.set(config, tokens)
  return tokens
}

/** A client of one server: each request gets what the configuration says. */
export class HttpAccess {
  readonly #http: HttpClientConfig
  readonly #deps: AccessDeps
  readonly #credentials: (() => Headers) | null
  readonly #oauth: OauthTokens | null

  constructor(http: HttpClientConfig, deps: AccessDeps) {
    this.#http = http
    this.#deps = deps
    this.#credentials = credentialHeaders(http, deps.readText)
    this.#oauth = http.oauth2 ? tokensOf(http.oauth2, deps) : null
  }

  /** @throws NetError, Error (files, tokens) */
  async request(request: HttpRequest): Promise<HttpResponse> {
    const { net, readText } = this.#deps
    const tls = tlsOptions(this.#http.tls, readText)
    const token = this.#oauth ? await this.#oauth.header() : null
    const proxy = proxyFor(this.#http, request.url, this.#deps.environment)
    return net.request({
      maxRedirects: this.#http.followRedirects ? 10 : 0,
      http2: this.#http.enableHttp2,
      ...request,
      headers: { ...request.headers, ...this.#credentials?.(), ...(token !== null && { authorization: token }) },
      ...(tls && { tls }),
      ...(proxy && { proxy }),
    })
  }

  /** The body of a 200. @throws NetError (`HTTP_STATUS` for other answers) */
  async json(request: HttpRequest): Promise<unknown> {
    const { status, body } = await this.request(request)
    if (status !== 200) throw statusError(request.url, status, body)
    return parseJson(request.url, body)
  }
}

export function statusError(url: string, status: number, body: Uint8Array): NetError {
  const text = new TextDecoder().decode(body.subarray(0, 200)).trim()
  return new NetError('HTTP_STATUS', `${url}: server returned HTTP status ${status}${text === '' ? '' : `: ${text}`}`)
}

/** @throws Error that names the address */
export function parseJson(url: string, body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (error) {
    throw new Error(`${url}: invalid JSON: ${(error as Error).message}`, { cause: error })
  }
}
