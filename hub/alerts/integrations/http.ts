/** Requests of integrations: authentication and TLS of `http_config`, and which answers are worth another try. */
import { type HttpClientConfig, Secret } from '../../../protocol/config/mod.ts'
import type { Disk, Net } from '../../../protocol/env/mod.ts'
import type { Mailer } from '../mailer.ts'
import { DELIVERED, type SendResult } from './contract.ts'

export type SendEnv = { readonly net: Net; readonly disk: Pick<Disk, 'readText'>; readonly mailer: Mailer }

export type HttpMessage = {
  readonly method?: 'POST' | 'PUT'
  /** A secret: it is in no message. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
  readonly timeoutMs: number
  /** Statuses worth another try beside 5xx. */
  readonly retryStatuses?: readonly number[]
  /** For services that say more in the body of a 2xx: the problem, or ''. */
  readonly judge?: (body: string) => string
}

const BODY_MAX = 1 << 20

/** Inline, or from a file that is read each time, so that it can be renewed. @throws DiskError */
export function secretOf(env: SendEnv, inline: unknown, file: unknown): string {
  if (inline instanceof Secret && inline.reveal() !== '') return inline.reveal()
  if (typeof inline === 'string' && inline !== '') return inline
  return typeof file === 'string' && file !== '' ? env.disk.readText(file).trim() : ''
}

export async function sendHttp(
  env: SendEnv,
  http: HttpClientConfig | null,
  { method = 'POST', url, headers = {}, body, timeoutMs, retryStatuses = [429], judge }: HttpMessage,
  signal: AbortSignal,
): Promise<SendResult> {
  try {
    const { status, body: answer } = await env.net.request({
      method,
      url,
      headers: { 'content-type': 'application/json', 'user-agent': 'Heliograph', ...authorized(env, http), ...headers },
      body: new TextEncoder().encode(body),
      timeoutMs,
      maxBodyBytes: BODY_MAX,
      maxRedirects: 0,
      ...(http?.tls && { tls: tlsOptions(env, http.tls) }),
      ...(http?.proxyUrl && { proxy: { url: http.proxyUrl } }),
      signal,
    })
    if (status >= 200 && status < 300) {
      const problem = judge?.(new TextDecoder().decode(answer)) ?? ''
      return problem === '' ? DELIVERED : { ok: false, retry: false, problem }
    }
    const text = new TextDecoder().decode(answer).slice(0, 200).trim()
    const retry = status >= 500 || retryStatuses.includes(status)
    return { ok: false, retry, problem: redact(`unexpected status code ${status}${text ? `: ${text}` : ''}`, url) }
  } catch (error) {
    return { ok: false, retry: true, problem: redact((error as Error).message, url) }
  }
}

function redact(problem: string, url: string): string {
  return problem.replaceAll(url, '<redacted>')
}

function authorized(env: SendEnv, http: HttpClientConfig | null): Record<string, string> {
  const out: Record<string, string> = {}
  if (!http) return out
  const { basicAuth, authorization } = http
  if (basicAuth) {
    const user = secretOf(env, basicAuth.username, basicAuth.usernameFile)
    const password = secretOf(env, basicAuth.password, basicAuth.passwordFile)
    out['authorization'] = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  } else if (authorization) {
    const { type, credentials, credentialsFile } = authorization
    out['authorization'] = `${type || 'Bearer'} ${secretOf(env, credentials, credentialsFile)}`
  }
  for (const [name, { values, secrets, files }] of Object.entries(http.headers)) {
    const all = [
      ...values,
      ...secrets.map((each) => each.reveal()),
      ...files.map((file) => env.disk.readText(file).trim()),
    ]
    out[name.toLowerCase()] = all.join(', ')
  }
  return out
}

function tlsOptions(env: SendEnv, tls: NonNullable<HttpClientConfig['tls']>) {
  const text = (inline: string, file: string): string => (file !== '' ? env.disk.readText(file) : inline)
  const ca = text(tls.ca, tls.caFile)
  const cert = text(tls.cert, tls.certFile)
  const key = text(tls.key.reveal(), tls.keyFile)
  return {
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(tls.serverName && { serverName: tls.serverName }),
    insecureSkipVerify: tls.insecureSkipVerify,
  }
}
