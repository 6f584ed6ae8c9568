/**
 * `web.config.file`: TLS and basic auth of a program's own endpoints, in the format that all Prometheus programs share.
 * Semantics: prometheus/exporter-toolkit web/tls_config.go and web/handler.go. Paths are relative to the file.
 *
 * Differs: HTTP/2 is accepted and not offered (clients that speak it speak 1.1 as well).
 */
import {
  boolean,
  type Decoder,
  decodeYaml,
  list,
  natural,
  object,
  record,
  type Secret,
  secret,
  string,
} from './decode.ts'
import { duration } from './discovery.ts'
import { directoryOf, joinPath } from './paths.ts'

export const CLIENT_AUTH_TYPES = [
  'NoClientCert',
  'RequestClientCert',
  'RequireAnyClientCert',
  'VerifyClientCertIfGiven',
  'RequireAndVerifyClientCert',
] as const
export type ClientAuthType = (typeof CLIENT_AUTH_TYPES)[number]
export type WebTlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'

/** A file, or the text itself. */
export type Material = { readonly file: string } | { readonly text: Secret }

export type WebTlsConfig = {
  readonly cert: Material
  readonly key: Material
  /** null: no authorities to verify clients by. */
  readonly clientCa: Material | null
  readonly clientAuth: ClientAuthType
  /** Any of these names must be in the client's certificate; null: any certificate does. */
  readonly clientAllowedSans: readonly string[] | null
  /** OpenSSL's names; empty: the runtime's choice. */
  readonly cipherSuites: readonly string[]
  readonly curves: readonly string[]
  readonly preferServerCipherSuites: boolean
  readonly minVersion: WebTlsVersion
  readonly maxVersion: WebTlsVersion
}

export type WebConfig = {
  readonly tls: WebTlsConfig | null
  /** Headers of every answer. */
  readonly headers: Readonly<Record<string, string>>
  readonly http2: boolean
  /** bcrypt hashes by user name; none: everybody may come in. */
  readonly users: ReadonlyMap<string, string>
  readonly rateLimit: { readonly intervalMs: number; readonly burst: number } | null
}

const TLS_VERSIONS: Readonly<Record<string, WebTlsVersion>> = {
  TLS13: 'TLSv1.3',
  TLS12: 'TLSv1.2',
  TLS11: 'TLSv1.1',
  TLS10: 'TLSv1',
}
const CURVES: Readonly<Record<string, string>> = {
  CurveP256: 'P-256',
  CurveP384: 'P-384',
  CurveP521: 'P-521',
  X25519: 'X25519',
}
/** Go's names (those it calls secure) and OpenSSL's. */
const CIPHERS: Readonly<Record<string, string>> = {
  TLS_AES_128_GCM_SHA256: 'TLS_AES_128_GCM_SHA256',
  TLS_AES_256_GCM_SHA384: 'TLS_AES_256_GCM_SHA384',
  TLS_CHACHA20_POLY1305_SHA256: 'TLS_CHACHA20_POLY1305_SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: 'ECDHE-ECDSA-AES128-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 'ECDHE-ECDSA-AES256-SHA',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 'ECDHE-RSA-AES128-SHA',
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 'ECDHE-RSA-AES256-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
}
/** Only these may be set, some of them only to these values. */
const HEADERS: Readonly<Record<string, readonly string[]>> = {
  'Strict-Transport-Security': [],
  'X-Content-Type-Options': ['nosniff'],
  'X-Frame-Options': ['deny', 'sameorigin'],
  'X-XSS-Protection': [],
  'Content-Security-Policy': [],
}
/** Version, cost and 53 characters of salt and digest. */
const BCRYPT_HASH = /^\$2[abxy]?\$(?:0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/

const known =
  (table: Readonly<Record<string, string>>, what: string): Decoder<string> =>
  (at) => {
    const name = string(at)
    return Object.hasOwn(table, name) ? table[name]! : at.fail(`unknown ${what}: ${name}`)
  }

const headers: Decoder<Readonly<Record<string, string>>> = (at) => {
  const all = record((child) => child)(at)
  const out: Record<string, string> = {}
  for (const [name, child] of Object.entries(all)) {
    if (!Object.hasOwn(HEADERS, name)) return child.fail(`HTTP header "${name}" can not be configured`)
    const allowed = HEADERS[name]!
    const value = string(child)
    if (allowed.length > 0 && !allowed.includes(value))
      return child.fail(
        `invalid value for ${name}. Expected one of: ${JSON.stringify(allowed)}, but got: ${JSON.stringify(value)}`,
      )
    out[name] = value
  }
  return out
}

const users: Decoder<ReadonlyMap<string, string>> = (at) => {
  const out = new Map<string, string>()
  for (const [name, child] of Object.entries(record((each) => each)(at))) {
    const hash = secret(child).reveal()
    if (!BCRYPT_HASH.test(hash))
      return child.fail(
        `the password of user ${JSON.stringify(name)} is not a bcrypt hash; make one by htpasswd -nBC 10 ""`,
      )
    out.set(name, hash)
  }
  return out
}

const tls = (directory: string): Decoder<WebTlsConfig | null> =>
  object(
    'web.TLSConfig',
    {
      cert: secret,
      key: secret,
      client_ca: secret,
      cert_file: string,
      key_file: string,
      client_auth_type: string,
      client_ca_file: string,
      cipher_suites: list(known(CIPHERS, 'cipher')),
      curve_preferences: list(known(CURVES, 'curve')),
      min_version: known(TLS_VERSIONS, 'TLS version'),
      max_version: known(TLS_VERSIONS, 'TLS version'),
      prefer_server_cipher_suites: boolean,
      client_allowed_sans: list(string),
    },
    (raw, at) => {
      const material = (file: string | undefined, text: Secret | undefined): Material | null => {
        if (file) return { file: joinPath(directory, file) }
        return text?.reveal() ? { text } : null
      }
      const cert = material(raw.cert_file, raw.cert)
      const key = material(raw.key_file, raw.key)
      const clientCa = material(raw.client_ca_file, raw.client_ca)
      if (!cert && !key && !clientCa && !raw.client_auth_type) return null
      if (!cert) return at.fail('missing one of cert or cert_file')
      if (!key) return at.fail('missing one of key or key_file')
      const given = raw.client_auth_type === 'RequireClientCert' ? 'RequireAnyClientCert' : raw.client_auth_type
      const clientAuth = (given || 'NoClientCert') as ClientAuthType
      if (!CLIENT_AUTH_TYPES.includes(clientAuth)) return at.fail(`invalid ClientAuth: ${given}`)
      if (clientCa && clientAuth === 'NoClientCert')
        return at.fail("client CA's have been configured without a Client Auth Policy")
      if (clientAuth.includes('Verify') && !clientCa)
        return at.fail(`client_auth_type ${clientAuth} needs client_ca_file or client_ca`)
      const sans = raw.client_allowed_sans ?? null
      if (sans && clientAuth !== 'RequireAnyClientCert' && clientAuth !== 'RequireAndVerifyClientCert')
        return at.fail(
          'client_allowed_sans requires client_auth_type to be one of RequireAnyClientCert or RequireAndVerifyClientCert',
        )
      const minVersion = (raw.min_version ?? 'TLSv1.2') as WebTlsVersion
      const maxVersion = (raw.max_version ?? 'TLSv1.3') as WebTlsVersion
      if (minVersion > maxVersion) return at.fail(`min_version ${minVersion} is above max_version ${maxVersion}`)
      return {
        cert,
        key,
        clientCa,
        clientAuth,
        clientAllowedSans: sans,
        cipherSuites: raw.cipher_suites ?? [],
        curves: raw.curve_preferences ?? [],
        preferServerCipherSuites: raw.prefer_server_cipher_suites ?? true,
        minVersion,
        maxVersion,
      }
    },
  )

const http = object('web.HTTPConfig', { http2: boolean, headers }, (raw) => raw)
const rateLimit = object('web.RateLimiterConfig', { burst: natural, interval: duration }, (raw) =>
  raw.interval ? { intervalMs: raw.interval, burst: raw.burst ?? 0 } : null,
)

/** @throws ConfigError */
export function loadWebConfig(text: string, options: { readonly file: string }): WebConfig {
  const root = object(
    'web.Config',
    {
      tls_server_config: tls(directoryOf(options.file)),
      http_server_config: http,
      rate_limit: rateLimit,
      basic_auth_users: users,
    },
    (raw) => ({
      tls: raw.tls_server_config ?? null,
      headers: raw.http_server_config?.headers ?? {},
      http2: raw.http_server_config?.http2 ?? true,
      users: raw.basic_auth_users ?? new Map<string, string>(),
      rateLimit: raw.rate_limit ?? null,
    }),
  )
  return decodeYaml(text, options.file, root).value
}
