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
  // The mails of one group are one thread.
  headers['X-Heliograph-Group'] = groupDigest(notification.groupKey)
  const html = values['html']
  return {
    host: host.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port),
    implicitTls: values['force_implicit_tls'] === true || Number(port) === IMPLICIT_TLS_PORT,
    requireTls: values['require_tls'] !== false,
    hello: text(values, 'hello', 'localhost'),
    user: text(values, 'auth_username'),
    password: secretOf(env, values['auth_password'], values['auth_password_file']),
    tls: tlsOf(values['tls_config'] as TlsConfig | undefined, env),
    from: expand(headerOf(own, 'from') ?? text(values, 'from')),
    to: expand(headerOf(own, 'to') ?? text(values, 'to')),
    headers,
    subject: expand(subject),
    text: expand(text(values, 'text')),
    html: expand(typeof html === 'string' ? html : '{{ template "email.default.html" . }}', { html: true }),
    timeoutMs: TIMEOUT_MS,
  }
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
