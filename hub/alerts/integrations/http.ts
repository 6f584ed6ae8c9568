/** Requests of integrations as their `http_config` wants them, and which answers are worth another try. */
import { type AccessDeps, HttpAccess } from '../../../agent/discovery/mod.ts'
import { EMPTY_HTTP, type HttpClientConfig, Secret } from '../../../protocol/config/mod.ts'
import type { Clock, Disk, Net } from '../../../protocol/env/mod.ts'
import type { Mailer } from '../mailer.ts'
import { DELIVERED, type SendResult } from './contract.ts'

export type SendEnv = {
  readonly net: Net
  readonly clock: Clock
  readonly disk: Pick<Disk, 'readText'>
  readonly mailer: Mailer
  /** Of OAuth 2, which outlive a message. */
  readonly tokens: AccessDeps['tokens']
}

export type HttpMessage = {
  readonly method?: 'GET' | 'POST' | 'PUT'
  /** A secret: it is in no message. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
  readonly timeoutMs: number
  /** Statuses worth another try beside 5xx. */
  readonly retryStatuses?: readonly number[]
  /** For services that say more in the body of a 2xx: the problem, or ''; one that is a string is final. */
  readonly judge?: (body: string) => string | SendResult
}

/** What became of a request, with the body of a 2xx. */
export type Exchange = { readonly result: SendResult; readonly body: string }

const BODY_MAX = 1 << 20
/** Where the configuration names none. */
export const DEFAULT_TIMEOUT_MS = 10_000

/** Inline, or from a file that is read each time, so that it can be renewed. @throws DiskError */
export function secretOf(env: SendEnv, inline: unknown, file: unknown): string {
  if (inline instanceof Secret && inline.reveal() !== '') return inline.reveal()
  if (typeof inline === 'string' && inline !== '') return inline
  return typeof file === 'string' && file !== '' ? env.disk.readText(file).trim() : ''
}

/** Never rejects. */
export async function sendHttp(
  env: SendEnv,
  http: HttpClientConfig | null,
  message: HttpMessage,
  signal: AbortSignal,
): Promise<SendResult> {
  return (await exchange(env, http, message, signal)).result
}

/** Differs: 429 is always worth another try; upstream knows that of some services only. Never rejects. */
export async function exchange(
  env: SendEnv,
  http: HttpClientConfig | null,
  { method = 'POST', url, headers = {}, body, timeoutMs, retryStatuses = [429], judge }: HttpMessage,
  signal: AbortSignal,
): Promise<Exchange> {
  const failed = (problem: string, retry: boolean): Exchange => ({
    result: { ok: false, retry, problem: redact(problem, url) },
    body: '',
  })
  try {
    const { status, body: answer } = await access(env, http, headers).request({
      method,
      url,
      headers: { 'content-type': 'application/json', 'user-agent': 'Heliograph', ...headers },
      ...(method !== 'GET' && { body: new TextEncoder().encode(body) }),
      timeoutMs,
      maxBodyBytes: BODY_MAX,
      signal,
    })
    const text = new TextDecoder().decode(answer)
    if (status >= 200 && status < 300) {
      const verdict = judge?.(text) ?? ''
      if (typeof verdict === 'string' && verdict !== '') return failed(verdict, false)
      return { result: typeof verdict === 'string' ? DELIVERED : verdict, body: text }
    }
    const shown = text.slice(0, 200).trim()
    const retry = status >= 500 || retryStatuses.includes(status)
    return failed(`unexpected status code ${status}${shown ? `: ${shown}` : ''}`, retry)
  } catch (error) {
    return failed((error as Error).message, true)
  }
}

/**
 * Without the address as it is configured, as the client writes it, and as a service repeats it; and without any other
 * that the client names, since a redirect may carry the secret along.
 */
function redact(problem: string, url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : null
  const known = parsed ? [url, parsed.href, parsed.pathname + parsed.search, parsed.pathname] : [url]
  return known
    .filter((part) => part.length > 1)
    .reduce((shown, part) => shown.replaceAll(part, '<redacted>'), problem)
    .replace(/^(\w+ )"https?:[^"]*"/, '$1"<redacted>"')
}

/** What a service wants for authorization wins over `http_config`, as upstream. */
function access(env: SendEnv, http: HttpClientConfig | null, headers: Readonly<Record<string, string>>): HttpAccess {
  const { net, clock, disk, tokens } = env
  const wanted = http ?? EMPTY_HTTP
  const hasOwn = headers['authorization'] !== undefined
  const used = hasOwn ? { ...wanted, basicAuth: null, authorization: null, oauth2: null } : wanted
  return new HttpAccess(used, { net, clock, tokens, readText: (path) => disk.readText(path) })
}
