/** Decoders that receivers share. Semantics: Alertmanager config/config.go, URL, SecretURL, HostPort (v0.34). */
import {
  type Cursor,
  type Decoder,
  finishHttp,
  HTTP_FIELDS,
  object,
  parsed,
  Secret,
  secret,
  string,
} from '../../../protocol/config/mod.ts'

export const httpConfig = object('config.HTTPClientConfig', HTTP_FIELDS, finishHttp)

function checkUrl(text: string, at: Cursor): void {
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(text)?.[1] ?? ''
  if (scheme !== 'http' && scheme !== 'https') at.fail(`unsupported scheme ${JSON.stringify(scheme)} for URL`)
  if (!/^https?:\/\/[^/?#]/.test(text)) at.fail('missing host for URL')
}

/** '' is none. */
export const url: Decoder<string> = (at) => {
  const text = string(at)
  if (text !== '') checkUrl(text, at)
  return text
}

/** A URL that may hold a token: shown as `<secret>`. `<secret>` itself stands for one that was redacted. */
export const secretUrl: Decoder<Secret> = (at) => {
  const value = secret(at)
  const text = value.reveal()
  if (text !== '' && text !== '<secret>' && !text.includes('{{')) checkUrl(text, at)
  return value
}

export const hostPort: Decoder<string> = parsed((text) => {
  if (text === '') return ''
  const match = /^(\[[^\]]*\]|[^:]*):([^:]*)$/.exec(text)
  if (!match) throw new Error(`address ${text}: ${text.includes(':') ? 'too many colons' : 'missing port'} in address`)
  if (match[2] === '') throw new Error(`address ${JSON.stringify(text)}: port cannot be empty`)
  return text
})

/** Go durations as pushover takes them, kept as text. */
export const anything: Decoder<unknown> = (at) => at.node

export const has = (value: unknown): boolean =>
  value instanceof Secret ? value.reveal() !== '' : value !== undefined && value !== '' && value !== null
