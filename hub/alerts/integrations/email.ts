/** Mail, as text, HTML or both. Semantics: Alertmanager notify/email/email.go (v0.34). */
import type { TlsConfig } from '../../../protocol/config/mod.ts'
import type { Integration } from '../config/mod.ts'
import { type Mail, MailError } from '../mailer.ts'
import { DELIVERED, type Sender, type Telling } from './contract.ts'
import { type SendEnv, secretOf } from './http.ts'
import { groupDigest, text } from './values.ts'

const TIMEOUT_MS = 30_000
const IMPLICIT_TLS_PORT = 465

export function email({ values }: Integration, env: SendEnv): Sender {
  return {
    send: async (telling) => {
      try {
        await env.mailer.send(mailOf(values, telling, env))
        return DELIVERED
      } catch (error) {
        if (error instanceof MailError) return { ok: false, retry: error.retry, problem: error.message }
        return { ok: false, retry: false, problem: (error as Error).message }
      }
    },
  }
}

function mailOf(values: Integration['values'], { expand, notification }: Telling, env: SendEnv): Mail {
  const [, host = '', port = '25'] = /^(.*):(\d+)$/.exec(text(values, 'smarthost')) ?? []
  const own = (values['headers'] ?? {}) as Readonly<Record<string, string>>
  const headers: Record<string, string> = {}
  let subject = '{{ template "email.default.subject" . }}'
  for (const [name, value] of Object.entries(own)) {
    if (name.toLowerCase() === 'subject') subject = value
    else if (!/^(to|from)$/i.test(name)) headers[name] = expand(value)
  }
  headers['X-Heliograph-Group'] = groupDigest(notification.groupKey)
  Object.assign(headers, threadHeaders(values['threading'], notification))
  const password = secretOf(env, values['auth_password'], values['auth_password_file'])
  const secret = secretOf(env, values['auth_secret'], values['auth_secret_file'])
  const forced = values['force_implicit_tls'] as boolean | null | undefined
  const envelope = { from: expand(text(values, 'from')), to: expand(text(values, 'to')) }
  const headerOr = (name: 'from' | 'to'): string => {
    const header = headerOf(own, name)
    return header === undefined ? envelope[name] : expand(header)
  }
  return {
    host: host.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port),
    implicitTls: forced ?? Number(port) === IMPLICIT_TLS_PORT,
    requireTls: values['require_tls'] !== false,
    hello: text(values, 'hello', 'localhost'),
    user: text(values, 'auth_username'),
    password: password || secret,
    // A secret is proved without being sent.
    authMethod: password === '' && secret !== '' ? 'CRAM-MD5' : '',
    tls: tlsOf(values['tls_config'] as TlsConfig | undefined, env),
    envelope,
    from: headerOr('from'),
    to: headerOr('to'),
    headers,
    subject: expand(subject),
    text: expand(text(values, 'text')),
    html: expand(text(values, 'html'), { html: true }),
    timeoutMs: TIMEOUT_MS,
  }
}

/** All mails of a group, or of a group and a day, answer one that was never sent, which makes them a thread. */
function threadHeaders(threading: unknown, { groupKey, nowMs }: Telling['notification']): Record<string, string> {
  const { enabled = false, thread_by_date = 'none' } = (threading ?? {}) as {
    enabled?: boolean
    thread_by_date?: string
  }
  if (!enabled) return {}
  const day = thread_by_date === 'daily' ? new Date(nowMs).toISOString().slice(0, 10) : ''
  const root = `<alert-${groupDigest(groupKey).slice(0, 16)}-${day}@alertmanager>`
  return { References: root, 'In-Reply-To': root }
}

const headerOf = (headers: Readonly<Record<string, string>>, wanted: string): string | undefined =>
  Object.entries(headers).find(([name]) => name.toLowerCase() === wanted)?.[1]

function tlsOf(tls: TlsConfig | undefined, env: SendEnv): Mail['tls'] {
  const read = (inline: string, file: string): string => (file !== '' ? env.disk.readText(file) : inline)
  return {
    ca: tls ? read(tls.ca, tls.caFile) : '',
    cert: tls ? read(tls.cert, tls.certFile) : '',
    key: tls ? read(tls.key.reveal(), tls.keyFile) : '',
    serverName: tls?.serverName ?? '',
    insecureSkipVerify: tls?.insecureSkipVerify ?? false,
  }
}
