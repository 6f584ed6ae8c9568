/** `email_configs`. Semantics: Alertmanager notify/email/config.go (v0.34). */
import { boolean, object, record, secret, string, tlsConfig } from '../../../../protocol/config/mod.ts'
import { has, hostPort } from '../fields.ts'
import { inherit, inheritSecret, type Spec, strings, type Values } from './spec.ts'

type Threading = { readonly enabled?: boolean; readonly thread_by_date?: string }

const INHERITED = ['hello', 'auth_username', 'auth_identity', 'require_tls', 'force_implicit_tls', 'tls_config']

export const email: Spec = {
  fields: {
    ...strings('to', 'from', 'hello', 'auth_username', 'auth_password_file', 'auth_secret_file', 'auth_identity'),
    ...strings('html', 'text'),
    smarthost: hostPort,
    auth_password: secret,
    auth_secret: secret,
    headers: record(string),
    require_tls: boolean,
    force_implicit_tls: boolean,
    tls_config: tlsConfig,
    threading: object('email.ThreadingConfig', { enabled: boolean, thread_by_date: string }, (raw): Threading => raw),
  },
  defaults: { html: '{{ template "email.default.html" . }}' },
  sendsResolved: false,
  check: (values) => {
    const names = Object.keys((values['headers'] as object | undefined) ?? {}).map(canonicalHeader)
    const twice = names.find((name, i) => names.indexOf(name) !== i)
    if (twice !== undefined) return `duplicate header ${JSON.stringify(twice)} in email config`
    if (!has(values['to'])) return 'missing to address in email config'
    return threadingProblem((values['threading'] ?? {}) as Threading, names)
  },
  complete: (values, global) => {
    let out: Values = inherit(values, global, [['smarthost', 'smtp_smarthost']])
    if (!has(out['smarthost'])) return 'no global SMTP smarthost set'
    out = inherit(out, global, [['from', 'smtp_from']])
    if (!has(out['from'])) return 'no global SMTP from set'
    for (const name of INHERITED) out = inherit(out, global, [[name, `smtp_${name}`]])
    out = inheritSecret(out, global, 'auth_password', 'smtp_auth_password')
    return inheritSecret(out, global, 'auth_secret', 'smtp_auth_secret')
  },
}

/** As Go's textproto writes it: `x-TEAM` is `X-Team`. */
function canonicalHeader(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())
}

function threadingProblem({ enabled, thread_by_date = '' }: Threading, headers: readonly string[]): string | null {
  if (!enabled) return null
  const own = ['References', 'In-Reply-To'].find((name) => headers.includes(name))
  if (own) return `conflicting configuration: threading.enabled conflicts with custom ${own} header`
  return ['none', 'daily'].includes(thread_by_date) ? null : "threading.thread_by_date must be either 'none' or 'daily'"
}
