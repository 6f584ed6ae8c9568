/**
 * `web.config.file` at work: who may come in, over what TLS. The file, the certificate and the key are looked at again
 * at every connection and request (a stat each; what has changed is read again), so that renewed certificates and new
 * passwords count at once. A file that can no longer be read lets nobody in.
 * Semantics: prometheus/exporter-toolkit web/handler.go and web/tls_config.go.
 */
import { createHash } from 'node:crypto'
import bcrypt from 'bcryptjs'
import { loadWebConfig, type Material, type WebConfig, type WebTlsConfig } from '../../protocol/config/mod.ts'
import type { Clock, Disk, HttpHandler, Logger, PlainAnswer, PlainHandler, ServerTls } from '../../protocol/env/mod.ts'

export type WebAccess = {
  readonly hasTls: boolean
  readonly hasUsers: boolean
  /** For `serveHttp`; undefined without TLS. The same object as long as nothing changed. */
  readonly serverTls: (() => ServerTls) | undefined
  /**
   * Lets only users of the file through, and adds its headers.
   * @param isOpen paths that have an authentication of their own
   */
  guard(handler: HttpHandler, isOpen?: (path: string) => boolean): HttpHandler
  /** As `guard`; leaves to it who is not known to be right. */
  guardPlain(handler: PlainHandler): PlainHandler
}

export type WebAccessDeps = { readonly disk: Disk; readonly clock: Clock; readonly log: Logger }

/** Compared with when the user is unknown, so that the answer takes as long; its password was thrown away. */
const NOBODY = '$2b$10$7EqJtq98hPqEX7fNZaFWoOhi5Cz4Jm6vN1vXyQ3u3Yw6Zb8x1c2yS'
const CACHE_ENTRIES = 100

/** Without a file. */
export const OPEN_TO_ALL: WebAccess = {
  hasTls: false,
  hasUsers: false,
  serverTls: undefined,
  guard: (handler) => handler,
  guardPlain: (handler) => handler,
}

/** @param file '' = neither TLS nor passwords. @throws ConfigError, DiskError when it cannot be used as it is now */
export function openWebAccess(file: string, deps: WebAccessDeps): WebAccess {
  if (file === '') return OPEN_TO_ALL
  const config = watched(
    deps.disk,
    () => [file],
    () => loadWebConfig(deps.disk.readText(file), { file }),
  )
  const first = config()
  const serverTls = watched(
    deps.disk,
    () => [file, ...materialFiles(config().tls)],
    () => tlsMaterial(deps.disk, config().tls, file),
  )
  if (first.tls) serverTls()
  const passwords = new Passwords()
  const limiter = first.rateLimit && new RateLimiter(first.rateLimit, deps.clock)
  return {
    hasTls: first.tls !== null,
    hasUsers: first.users.size > 0,
    serverTls: first.tls ? serverTls : undefined,
    guard:
      (handler, isOpen = () => false) =>
      async (request, info) => {
        let now: WebConfig
        try {
          now = config()
        } catch (err) {
          deps.log.error('Unable to parse configuration', { file, err })
          return plain('Internal Server Error\n', 500)
        }
        if (limiter && !limiter.allow()) return withHeaders(plain('Too Many Requests\n', 429), now)
        const isFree = now.users.size === 0 || isOpen(new URL(request.url).pathname)
        if (!isFree && !(await passwords.accept(request.headers.get('authorization'), now.users)))
          return withHeaders(plain('Unauthorized\n', 401, { 'www-authenticate': 'Basic' }), now)
        const response = await handler(request, info)
        const answer = withHeaders(response, now)
        const bytes = info.bodies?.get(response)
        if (bytes !== undefined && answer !== response) info.bodies!.set(answer, bytes)
        return answer
      },
    guardPlain: (handler) => (request) => {
      let now: WebConfig
      try {
        now = config()
      } catch {
        return null
      }
      if (limiter || (now.users.size > 0 && !passwords.isKnown(request.header('authorization'), now.users))) return null
      const answer = handler(request)
      if (answer === null || Object.keys(now.headers).length === 0) return answer
      return answer instanceof Promise
        ? answer.then((given) => plainWithHeaders(given, now))
        : plainWithHeaders(answer, now)
    },
  }
}

/** Listening to others without a password or in the clear: what to say in the log; null when all is well. */
export function exposureWarning(
  host: string,
  { hasTls, hasUsers }: Pick<WebAccess, 'hasTls' | 'hasUsers'>,
): string | null {
  const isLoopback = /^127\.|^::1$|^\[::1\]$|^localhost$/.test(host)
  if (isLoopback || (hasTls && hasUsers)) return null
  const missing = hasTls ? 'a password' : hasUsers ? 'TLS' : 'TLS and a password'
  return `Other hosts can reach this address without ${missing}: listen on 127.0.0.1, or give --web.config.file=web.yml with tls_server_config (cert_file, key_file) and basic_auth_users (NAME: bcrypt hash, made by htpasswd -nBC 10 "")`
}

/** Calls `make` again whenever a file has changed. What threw is tried again at the next call. */
function watched<T>(disk: Disk, files: () => readonly string[], make: () => T): () => T {
  let seen = ''
  let value: T | undefined
  return () => {
    const now = files()
      .map((file) => {
        const stat = disk.stat(file)
        return stat ? `${stat.ino} ${stat.sizeBytes} ${stat.mtimeMs}` : 'none'
      })
      .join(',')
    if (now !== seen || value === undefined) {
      value = undefined
      value = make()
      seen = now
    }
    return value
  }
}

function materialFiles(tls: WebTlsConfig | null): string[] {
  if (!tls) return []
  return [tls.cert, tls.key, tls.clientCa].flatMap((each) => (each && 'file' in each ? [each.file] : []))
}

function tlsMaterial(disk: Disk, tls: WebTlsConfig | null, file: string): ServerTls {
  if (!tls) throw new Error(`${file} has no tls_server_config any more; a restart is needed to serve without TLS`)
  const read = (material: Material): string =>
    'file' in material ? disk.readText(material.file) : material.text.reveal()
  return {
    cert: read(tls.cert),
    key: read(tls.key),
    ...(tls.clientCa && { ca: read(tls.clientCa) }),
    clients: CLIENTS[tls.clientAuth],
    allowedSans: tls.clientAllowedSans,
    ciphers: tls.cipherSuites,
    curves: tls.curves,
    honorCipherOrder: tls.preferServerCipherSuites,
    minVersion: tls.minVersion,
    maxVersion: tls.maxVersion,
  }
}

const CLIENTS: Readonly<Record<WebTlsConfig['clientAuth'], ServerTls['clients']>> = {
  NoClientCert: 'none',
  RequestClientCert: 'asked',
  RequireAnyClientCert: 'any',
  VerifyClientCertIfGiven: 'verified if given',
  RequireAndVerifyClientCert: 'verified',
}

class Passwords {
  /** Digest of user, hash and password, to the verdict: bcrypt takes a tenth of a second, and scrapers come often. */
  readonly #cache = new Map<string, boolean>()
  #turn: Promise<unknown> = Promise.resolve()

  /** Has been accepted before, and would be now. */
  isKnown(header: string | null, users: ReadonlyMap<string, string>): boolean {
    const given = basicAuth(header)
    const hash = given === null ? undefined : users.get(given.user)
    return given !== null && hash !== undefined && this.#cache.get(cacheKey(given, hash)) === true
  }

  async accept(header: string | null, users: ReadonlyMap<string, string>): Promise<boolean> {
    const given = basicAuth(header)
    if (!given) return false
    const known = users.get(given.user)
    const hash = known ?? NOBODY
    const key = cacheKey(given, hash)
    const cached = this.#cache.get(key)
    if (cached !== undefined) return cached && known !== undefined
    // One at a time: guesses by the hundred must not take the processor from the scrapes.
    const compared = this.#turn.then(() => bcrypt.compare(given.password, hash.replace(/^\$2[axy]?\$/, '$2b$')))
    this.#turn = compared.catch(() => {})
    const isRight = (await compared.catch(() => false)) && known !== undefined
    if (this.#cache.size >= CACHE_ENTRIES) this.#cache.delete(this.#cache.keys().next().value!)
    this.#cache.set(key, isRight)
    return isRight
  }
}

type Credentials = { readonly user: string; readonly password: string }

function cacheKey({ user, password }: Credentials, hash: string): string {
  return createHash('sha256')
    .update(JSON.stringify([user, hash, password]))
    .digest('base64')
}

function basicAuth(header: string | null): Credentials | null {
  const encoded = /^basic\s+([A-Za-z0-9+/=]+)\s*$/i.exec(header ?? '')?.[1]
  if (encoded === undefined) return null
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? null : { user: text.slice(0, colon), password: text.slice(colon + 1) }
}

/** A bucket of `burst` tokens, one more each interval. */
class RateLimiter {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #burst: number
  #tokens: number
  #atMs: number
  constructor({ intervalMs, burst }: NonNullable<WebConfig['rateLimit']>, clock: Clock) {
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#burst = burst
    this.#tokens = burst
    this.#atMs = clock.monotonic()
  }

  allow(): boolean {
    const now = this.#clock.monotonic()
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#atMs) / this.#intervalMs)
    this.#atMs = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}

function plain(text: string, status: number, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(text, { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers } })
}

function plainWithHeaders(answer: PlainAnswer, { headers }: WebConfig): PlainAnswer {
  const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  return { ...answer, headers: { ...answer.headers, ...own } }
}

function withHeaders(response: Response, { headers }: WebConfig): Response {
  const names = Object.keys(headers)
  if (names.length === 0) return response
  const all = new Headers(response.headers)
  for (const name of names) all.set(name, headers[name]!)
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers: all })
}
