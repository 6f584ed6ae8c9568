/**
 * Access tokens by client credentials, asked for anew shortly before they expire.
 * Semantics: RFC 6749 section 4.4; golang.org/x/oauth2/clientcredentials (credentials in the header first).
 */
import type { Oauth2Config } from '../../protocol/config/mod.ts'
import { type AccessDeps, basicCredentials, parseJson, statusError, tlsOptions } from './http-access.ts'
import { proxyFor } from './proxy.ts'

/** A token is not used in its last seconds: the request with it takes time too. */
const EARLY_MS = 10_000
const TIMEOUT_MS = 30_000
const MAX_BYTES = 1 << 20

type OauthDeps = Pick<AccessDeps, 'net' | 'clock' | 'readText' | 'environment'>

export class OauthTokens {
  readonly #config: Oauth2Config
  readonly #deps: OauthDeps
  #header = ''
  #untilMs = Number.NEGATIVE_INFINITY
  #secret = ''
  #pending: Promise<string> | null = null

  constructor(config: Oauth2Config, deps: OauthDeps) {
    this.#config = config
    this.#deps = deps
  }

  /** The `Authorization` header. @throws Error, NetError when the token server gives none */
  header(): Promise<string> {
    const { clientSecret, clientSecretFile } = this.#config
    const secret = clientSecretFile ? this.#deps.readText(clientSecretFile).trim() : clientSecret.reveal()
    if (secret === this.#secret && this.#deps.clock.monotonic() < this.#untilMs) return Promise.resolve(this.#header)
    this.#secret = secret
    // Many targets of one job share one request for the token.
    this.#pending ??= this.#ask(secret).finally(() => {
      this.#pending = null
    })
    return this.#pending
  }

  async #ask(secret: string): Promise<string> {
    const { clientId, tokenUrl, scopes, endpointParams } = this.#config
    const { net, clock, readText, environment } = this.#deps
    const tls = tlsOptions(this.#config.tls, readText)
    const proxy = proxyFor(this.#config.proxy, tokenUrl, environment)
    const form = new URLSearchParams({ grant_type: 'client_credentials', ...endpointParams })
    if (scopes.length > 0) form.set('scope', scopes.join(' '))
    const response = await net.request({
      method: 'POST',
      url: tokenUrl,
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: basicCredentials(encodeURIComponent(clientId), encodeURIComponent(secret)),
      },
      body: new TextEncoder().encode(form.toString()),
      timeoutMs: TIMEOUT_MS,
      maxBodyBytes: MAX_BYTES,
      ...(tls && { tls }),
      ...(proxy && { proxy }),
    })
    if (response.status < 200 || response.status > 299)
      throw statusError(`oauth2: cannot get a token: ${tokenUrl}`, response.status, new Uint8Array(0))
    const answer = parseJson(tokenUrl, response.body) as {
      access_token?: unknown
      token_type?: unknown
      expires_in?: unknown
    } | null
    if (typeof answer?.access_token !== 'string' || answer.access_token === '')
      throw new Error(`oauth2: ${tokenUrl} answered without access_token`)
    const lifeMs = Number(answer.expires_in ?? 0) * 1000
    this.#untilMs = lifeMs > 0 ? clock.monotonic() + Math.max(0, lifeMs - EARLY_MS) : Number.POSITIVE_INFINITY
    const type = typeof answer.token_type === 'string' && answer.token_type !== '' ? answer.token_type : 'Bearer'
    this.#header = `${type.toLowerCase() === 'bearer' ? 'Bearer' : type} ${answer.access_token}`
    return this.#header
  }
}
