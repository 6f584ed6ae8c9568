/**
 * How to speak to an HTTP server: authentication, TLS, proxies, headers.
 * Semantics: prometheus/common config/http_config.go.
 */
import {
  boolean,
  type Cursor,
  type Decoder,
  list,
  object,
  oneOf,
  parsed,
  pointer,
  type Raw,
  record,
  Secret,
  secret,
  string,
} from './decode.ts'
import { parseGoUrl, redactedUrl } from './go-url.ts'

export type TlsConfig = {
  readonly ca: string
  readonly cert: string
  readonly key: Secret
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
  readonly serverName: string
  readonly insecureSkipVerify: boolean
  readonly minVersion: string
  readonly maxVersion: string
  /** Secrets by reference that are set. */
  readonly refs?: readonly string[]
}

/** Nothing set: what TLS does by itself. */
export const NO_TLS: TlsConfig = {
  ca: '',
  cert: '',
  key: new Secret(''),
  caFile: '',
  certFile: '',
  keyFile: '',
  serverName: '',
  insecureSkipVerify: false,
  minVersion: '',
  maxVersion: '',
}

/**
 * `enableHttp2` permits HTTP/2 and does not demand it: a scrape or a discovery speaks it with TLS servers that refuse
 * HTTP/1.1; all other requests are HTTP/1.1, whose one connection per target carries one exchange at a time in any case.
 */
export type HttpClientConfig = {
  readonly basicAuth: {
    readonly username: string
    readonly usernameFile: string
    readonly password: Secret
    readonly passwordFile: string
    readonly refs?: readonly string[]
  } | null
  readonly authorization: {
    readonly type: string
    readonly credentials: Secret
    readonly credentialsFile: string
    readonly refs?: readonly string[]
  } | null
  readonly oauth2: Oauth2Config | null
  readonly tls: TlsConfig | null
  readonly followRedirects: boolean
  readonly enableHttp2: boolean
  readonly proxyUrl: string
  readonly noProxy: string
  readonly proxyFromEnvironment: boolean
  /** For CONNECT requests to the proxy. */
  readonly proxyConnectHeader: Readonly<Record<string, readonly Secret[]>>
  /** Keys that are set and that nothing can act upon here, each with the reason: the job is refused aloud. */
  readonly unsupported: readonly string[]
  readonly headers: Readonly<
    Record<
      string,
      { readonly values: readonly string[]; readonly secrets: readonly Secret[]; readonly files: readonly string[] }
    >
  >
}

export type Oauth2Config = {
  readonly clientId: string
  readonly clientSecret: Secret
  readonly clientSecretFile: string
  readonly tokenUrl: string
  readonly scopes: readonly string[]
  readonly endpointParams: Readonly<Record<string, string>>
  /** How the token server is spoken to. */
  readonly tls: TlsConfig | null
  readonly proxy: ProxyConfig
  readonly grantType?: string
  readonly refs?: readonly string[]
}

export type ProxyConfig = Pick<HttpClientConfig, 'proxyUrl' | 'noProxy' | 'proxyFromEnvironment' | 'proxyConnectHeader'>

const TLS_VERSIONS = ['TLS10', 'TLS11', 'TLS12', 'TLS13'] as const
const tlsVersion = pointer(oneOf(TLS_VERSIONS, (value) => `unknown TLS version: ${value}`))

export const tlsConfig: Decoder<TlsConfig> = object(
  'config.plain',
  {
    ca: string,
    cert: string,
    key: secret,
    ca_file: string,
    cert_file: string,
    key_file: string,
    ca_ref: string,
    cert_ref: string,
    key_ref: string,
    server_name: string,
    insecure_skip_verify: boolean,
    min_version: tlsVersion,
    max_version: tlsVersion,
  },
  (raw, at) => {
    if (count(raw.ca, raw.ca_file, raw.ca_ref) > 1) at.fail('at most one of ca, ca_file & ca_ref must be configured')
    if (count(raw.cert, raw.cert_file, raw.cert_ref) > 1)
      at.fail('at most one of cert, cert_file & cert_ref must be configured')
    if (count(raw.key?.reveal(), raw.key_file, raw.key_ref) > 1)
      at.fail('at most one of key and key_file must be configured')
    const hasCert = count(raw.cert, raw.cert_file, raw.cert_ref) > 0
    const hasKey = count(raw.key?.reveal(), raw.key_file, raw.key_ref) > 0
    if (hasCert && !hasKey)
      at.fail('exactly one of key or key_file must be configured when a client certificate is configured')
    if (hasKey && !hasCert)
      at.fail('exactly one of cert or cert_file must be configured when a client key is configured')
    return {
      ca: raw.ca ?? '',
      cert: raw.cert ?? '',
      key: raw.key ?? NO_SECRET,
      caFile: raw.ca_file ?? '',
      certFile: raw.cert_file ?? '',
      keyFile: raw.key_file ?? '',
      serverName: raw.server_name ?? '',
      insecureSkipVerify: raw.insecure_skip_verify ?? false,
      minVersion: raw.min_version ?? '',
      maxVersion: raw.max_version ?? '',
      refs: refsOf('tls_config', raw),
    }
  },
)

const NO_SECRET = new Secret('')

/** How many are given. */
const count = (...values: readonly (string | undefined)[]): number => values.filter(Boolean).length

/** A URL as Go's url.Parse takes it (relative ones too), kept as text. */
/** Its password is shown nowhere. Semantics: prometheus/common config, URL.MarshalYAML. */
export const httpUrl: Decoder<string> = (at) => {
  const text = goUrl(at)
  const shown = redactedUrl(text)
  if (shown !== text) at.hide(shown)
  return text
}

const goUrl: Decoder<string> = parsed((text) => {
  parseGoUrl(text)
  return text
})

const basicAuth = object(
  'config.plain',
  {
    username: string,
    username_file: string,
    username_ref: string,
    password: secret,
    password_file: string,
    password_ref: string,
  },
  (raw, at) => {
    if (count(raw.username, raw.username_file, raw.username_ref) > 1)
      at.fail('at most one of basic_auth username, username_file & username_ref must be configured')
    if (count(raw.password?.reveal(), raw.password_file, raw.password_ref) > 1)
      at.fail('at most one of basic_auth password, password_file & password_ref must be configured')
    return {
      username: raw.username ?? '',
      usernameFile: raw.username_file ?? '',
      password: raw.password ?? NO_SECRET,
      passwordFile: raw.password_file ?? '',
      refs: refsOf('basic_auth', raw),
    }
  },
)

const authorization = object(
  'config.Authorization',
  { type: string, credentials: secret, credentials_file: string, credentials_ref: string },
  (raw, at) => {
    if (count(raw.credentials?.reveal(), raw.credentials_file, raw.credentials_ref) > 1)
      at.fail('at most one of authorization credentials & credentials_file must be configured')
    if ((raw.type ?? '').trim().toLowerCase() === 'basic')
      at.fail(`authorization type cannot be set to "basic", use "basic_auth" instead`)
    return {
      type: raw.type?.trim() || 'Bearer',
      credentials: raw.credentials ?? NO_SECRET,
      credentialsFile: raw.credentials_file ?? '',
      refs: refsOf('authorization', raw),
    }
  },
)

const proxyHeaders = record(list(secret))

const oauth2: Decoder<Oauth2Config> = object(
  'config.plain',
  {
    client_id: string,
    client_secret: secret,
    client_secret_file: string,
    client_secret_ref: string,
    client_certificate_key_id: string,
    client_certificate_key: secret,
    client_certificate_key_file: string,
    client_certificate_key_ref: string,
    signature_algorithm: string,
    iss: string,
    audience: string,
    claims: (at: Cursor) => at.source.document.toJS(),
    grant_type: string,
    scopes: list(string),
    token_url: string,
    endpoint_params: record(string),
    tls_config: tlsConfig,
    proxy_url: httpUrl,
    no_proxy: string,
    proxy_from_environment: boolean,
    proxy_connect_header: proxyHeaders,
  },
  (raw, at) => {
    if (!raw.client_id) at.fail('oauth2 client_id must be configured')
    if (!raw.token_url) at.fail('oauth2 token_url must be configured')
    if (raw.grant_type === JWT_BEARER) checkJwtBearer(raw, at)
    else if (count(raw.client_secret?.reveal(), raw.client_secret_file, raw.client_secret_ref) > 1)
      at.fail(
        'at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured using grant-type=client_credentials',
      )
    return {
      clientId: raw.client_id ?? '',
      clientSecret: raw.client_secret ?? NO_SECRET,
      clientSecretFile: raw.client_secret_file ?? '',
      tokenUrl: raw.token_url ?? '',
      scopes: raw.scopes ?? [],
      endpointParams: raw.endpoint_params ?? {},
      tls: raw.tls_config ?? null,
      proxy: finishProxy(raw, at),
      grantType: raw.grant_type ?? '',
      refs: refsOf('oauth2', raw),
    }
  },
)

type JwtBearer = {
  readonly client_certificate_key?: Secret
  readonly client_certificate_key_file?: string
  readonly client_certificate_key_ref?: string
  readonly signature_algorithm?: string
}

function checkJwtBearer(raw: JwtBearer, at: Cursor): void {
  const key = raw.client_certificate_key?.reveal()
  if (count(key, raw.client_certificate_key_file, raw.client_certificate_key_ref) > 1)
    at.fail(
      `at most one of oauth2 client_certificate_key, client_certificate_key_file & client_certificate_key_ref must be configured using grant-type=${JWT_BEARER}`,
    )
  if (raw.signature_algorithm && !/^RS(?:256|384|512)$/.test(raw.signature_algorithm))
    at.fail('valid signature algorithms are RS256, RS384 and RS512')
}

const header = object('config.Header', { values: list(string), secrets: list(secret), files: list(string) }, (raw) => ({
  values: raw.values ?? [],
  secrets: raw.secrets ?? [],
  files: raw.files ?? [],
}))

/** Headers that a client sets itself. */
const RESERVED = new Set(
  'Authorization Host Content-Encoding Content-Length Content-Type User-Agent Connection Keep-Alive Proxy-Authenticate Proxy-Authorization Www-Authenticate Accept-Encoding X-Prometheus-Remote-Write-Version X-Prometheus-Remote-Read-Version X-Prometheus-Scrape-Timeout-Seconds X-Amz-Date X-Amz-Security-Token X-Amz-Content-Sha256'.split(
    ' ',
  ),
)

export const HTTP_FIELDS = {
  basic_auth: pointer(basicAuth),
  authorization: pointer(authorization),
  oauth2: pointer(oauth2),
  bearer_token: secret,
  bearer_token_file: string,
  tls_config: tlsConfig,
  follow_redirects: boolean,
  enable_http2: boolean,
  proxy_url: httpUrl,
  no_proxy: string,
  proxy_from_environment: boolean,
  proxy_connect_header: proxyHeaders,
  http_headers: record(header, (name, at) => {
    const canonical = name.toLowerCase().replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())
    if (RESERVED.has(canonical)) at.fail(`setting header ${JSON.stringify(canonical)} is not allowed`)
  }),
} as const

type HttpRaw = Raw<typeof HTTP_FIELDS>

/** True when a custom client is asked for: what Kubernetes discovery refuses without an API server. */
export function hasCustomHttp(raw: HttpRaw): boolean {
  return Object.keys(HTTP_FIELDS).some(
    (name) => raw[name as keyof HttpRaw] !== undefined && name !== 'follow_redirects' && name !== 'enable_http2',
  )
}

/** The common checks and shape. */
export function finishHttp(raw: HttpRaw, at: Cursor): HttpClientConfig {
  const bearer = raw.bearer_token?.reveal() ?? ''
  const bearerFile = raw.bearer_token_file ?? ''
  if (bearer && bearerFile) at.fail('at most one of bearer_token & bearer_token_file must be configured')
  if ((raw.basic_auth || raw.oauth2) && (bearer || bearerFile)) {
    at.fail('at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured')
  }
  if (raw.authorization && (bearer || bearerFile))
    at.fail('authorization is not compatible with bearer_token & bearer_token_file')
  const methods = [raw.basic_auth, raw.oauth2, raw.authorization].filter((method) => method !== undefined)
  if (methods.length > 1) at.fail('at most one of basic_auth, oauth2 & authorization must be configured')
  const proxy = finishProxy(raw, at)
  const fromBearer =
    bearer || bearerFile
      ? { type: 'Bearer', credentials: raw.bearer_token ?? NO_SECRET, credentialsFile: bearerFile }
      : null
  return {
    basicAuth: raw.basic_auth ?? null,
    authorization: raw.authorization ?? fromBearer,
    oauth2: raw.oauth2 ?? null,
    tls: raw.tls_config ?? null,
    followRedirects: raw.follow_redirects ?? true,
    enableHttp2: raw.enable_http2 ?? true,
    ...proxy,
    unsupported: unsupportedKeys(raw),
    headers: raw.http_headers ?? {},
  }
}

type ProxyRaw = Pick<HttpRaw, 'proxy_url' | 'no_proxy' | 'proxy_from_environment' | 'proxy_connect_header'>

function finishProxy(raw: ProxyRaw, at: Cursor): ProxyConfig {
  if (Object.keys(raw.proxy_connect_header ?? {}).length > 0 && !raw.proxy_from_environment && !raw.proxy_url)
    at.fail('if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured')
  if (raw.proxy_from_environment && raw.proxy_url)
    at.fail('if proxy_from_environment is configured, proxy_url must not be configured')
  if (raw.proxy_from_environment && raw.no_proxy)
    at.fail('if proxy_from_environment is configured, no_proxy must not be configured')
  if (raw.no_proxy && !raw.proxy_url) at.fail('if no_proxy is configured, proxy_url must also be configured')
  return {
    proxyUrl: raw.proxy_url ?? '',
    noProxy: raw.no_proxy ?? '',
    proxyFromEnvironment: raw.proxy_from_environment ?? false,
    proxyConnectHeader: raw.proxy_connect_header ?? {},
  }
}

function unsupportedKeys({ basic_auth, authorization, oauth2, tls_config, proxy_url = '' }: HttpRaw): string[] {
  const out = [
    ...(basic_auth?.refs ?? []),
    ...(authorization?.refs ?? []),
    ...(oauth2?.refs ?? []),
    ...(tls_config?.refs ?? []),
    ...(oauth2?.tls?.refs ?? []),
  ].map((key) => `${key} names a secret of a manager that is not there: give the secret itself or its file`)
  if (oauth2?.grantType === JWT_BEARER)
    out.push(`oauth2 grant_type ${JWT_BEARER} is not supported: use client_credentials`)
  for (const url of [proxy_url, oauth2?.proxy.proxyUrl ?? ''])
    if (url !== '' && !/^https?:/i.test(url))
      out.push(`proxy_url ${JSON.stringify(url.replace(/\/\/[^@/]*@/, '//'))} is not supported: use an HTTP proxy`)
  return out
}

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** Keys of secrets by reference, which upstream refuses too as long as it has no manager of secrets. */
function refsOf(section: string, raw: object): string[] {
  return Object.entries(raw).flatMap(([key, value]) =>
    key.endsWith('_ref') && typeof value === 'string' && value !== '' ? [`${section}.${key}`] : [],
  )
}
