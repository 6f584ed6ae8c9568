/**
 * The file of modules. Errors are upstream's, with `error parsing config file: ` before them.
 * Semantics: blackbox_exporter config/config.go (v0.28).
 */
import { isMap, isScalar, isSeq, parse, stringify } from 'yaml'
import {
  boolean,
  ConfigError,
  type Cursor,
  type Decoder,
  decodeYaml,
  finishHttp,
  HTTP_FIELDS,
  type HttpClientConfig,
  integer,
  list,
  object,
  parseBytes,
  parsed,
  placeOf,
  record,
  redactedYaml,
  string,
  tlsConfig,
} from '../../protocol/config/mod.ts'
import { parseGoDuration } from '../../protocol/durations/mod.ts'
import { isCredentialHeader } from '../../protocol/env/mod.ts'
import { compileRegex } from '../../protocol/matchers/mod.ts'
import { acceptsCompression } from './accept-encoding.ts'
import { type CelProgram, compileCel } from './cel.ts'
import { DNS_CLASSES, DNS_TYPES } from './dns-names.ts'
import {
  type Addressing,
  type BlackboxConfig,
  type DnsProbe,
  type GrpcProbe,
  type HeaderMatch,
  type HttpProbe,
  type IcmpProbe,
  type Module,
  type Pattern,
  PROBERS,
  type Prober,
  type QueryResponse,
  type RecordChecks,
  type TcpProbe,
  type UnixProbe,
  type WebsocketProbe,
} from './modules.ts'

/** @throws Error with upstream's text */
export function loadBlackboxConfig(text: string, file: string): BlackboxConfig {
  const problems: ConfigError[] = []
  try {
    const { value, source } = decodeYaml(text, file, root, { problems })
    if (source.document.contents === null) throw new Error('error parsing config file: EOF')
    return { modules: value, redacted: redactedYaml(source) }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new Error(`error parsing config file: ${upstreamText(problems, text)}`, { cause: error })
  }
}

/** Reading a file of many modules takes a second: once, and where somebody asks. */
const parsedModules = new WeakMap<BlackboxConfig, Readonly<Record<string, unknown>>>()

/** One module's part of the file, without secrets. */
export function moduleText(config: BlackboxConfig, name: string): string {
  let modules = parsedModules.get(config)
  if (modules === undefined) {
    modules = (parse(config.redacted) as { modules: Readonly<Record<string, unknown>> }).modules
    parsedModules.set(config, modules)
  }
  return stringify(modules[name])
}

const OF_TYPE = /^yaml: unmarshal errors: (line \d+: )/

/**
 * Version 3 of Go's YAML library tells all values of a wrong type, each on a line of its own, and makes no suggestions;
 * whatever else is wrong is told alone.
 */
function upstreamText(problems: readonly ConfigError[], text: string): string {
  const alone = problems.find(({ problem }) => !OF_TYPE.test(problem))
  if (alone !== undefined) return syntaxText(alone.problem)
  return `yaml: unmarshal errors:\n${problems.map((one) => `  ${typeText(one, text)}`).join('\n')}`
}

function typeText({ problem, file, key }: ConfigError, text: string): string {
  const line = problem.replace(OF_TYPE, '$1').replace(/; did you mean .*$/, '')
  const twice = /^(line \d+: )(?:field|key) .* already set in /.exec(line)
  if (twice === null) return line
  const path = key.split('.')
  const first = placeOf(text, file, path).line
  return `${twice[1]}mapping key ${JSON.stringify(path.at(-1))} already defined at line ${first}`
}

/** Of what a file of YAML is most often broken by. */
const SYNTAX: readonly (readonly [ours: RegExp, upstreams: string])[] = [
  [/Nested mappings are not allowed in compact mappings/, 'mapping values are not allowed in this context'],
  [/Tabs are not allowed as indentation/, 'found character that cannot start any token'],
  [/Unresolved alias \(.*\): (\S+)$/, "unknown anchor '$1' referenced"],
]

function syntaxText(problem: string): string {
  const found = SYNTAX.find(([ours]) => ours.test(problem))
  return (found ? problem.replace(found[0], found[1]) : problem).replace(/^yaml: line 1: /, 'yaml: ')
}

/** Of a list or a map, under the name that Go has for its type. */
function typed<T>(decoder: Decoder<T>, isIt: (node: unknown) => boolean, type: string): Decoder<T> {
  return (at) => (at.isNull || isIt(at.node) ? decoder(at) : at.mismatch(type))
}
const strings = typed(list(string), isSeq, '[]string')
/** A key or token among headers is shown to nobody. Differs: upstream's page of its configuration shows it. */
const headerValue: Decoder<string> = (at) => {
  const value = string(at)
  const name = at.key.replace(/\[\d+\]$/, '').replace(/^.*\./s, '')
  if (value !== '' && isCredentialHeader(name)) at.hide('<secret>')
  return value
}
const headerMap = typed(record(headerValue), isMap, 'map[string]string')

const pattern: Decoder<Pattern> = (at) => {
  const source = string(at)
  try {
    return { source, regex: compileRegex(source) }
  } catch (error) {
    return at.fail(`"Could not compile regular expression" regexp="${source}"`, error)
  }
}

const cel: Decoder<CelProgram | null> = (at) => {
  if (at.isNull) return null
  const source = string(at)
  try {
    return compileCel(source)
  } catch (error) {
    return at.fail(`"Could not compile CEL program" expression="${source}"`, error)
  }
}

const goDuration: Decoder<number> = (at) => {
  if (at.isNull) return 0
  if (!isScalar(at.node)) return at.mismatch('time.Duration')
  try {
    return parseGoDuration(string(at))
  } catch {
    return at.mismatch('time.Duration')
  }
}

/** Go holds sizes in 63 bits. */
const MAX_SIZE_BYTES = 2 ** 63
const size: Decoder<number> = (at) => {
  if (!at.isNull && !isScalar(at.node)) return at.mismatch('units.Base2Bytes')
  const bytes = at.isNull ? 0 : parsed(parseBytes)(at)
  if (Math.abs(bytes) > MAX_SIZE_BYTES) at.fail('units: overflow parsing unit')
  return bytes
}

const PLAIN = 'config.plain'
const ADDRESSING_FIELDS = { preferred_ip_protocol: string, ip_protocol_fallback: boolean }
type AddressingRaw = { readonly preferred_ip_protocol?: string; readonly ip_protocol_fallback?: boolean }
const addressingOf = (raw: AddressingRaw): Addressing => ({
  preferred: raw.preferred_ip_protocol ?? '',
  fallback: raw.ip_protocol_fallback ?? true,
})

const headerMatch: Decoder<HeaderMatch> = object(
  PLAIN,
  { header: string, regexp: pattern, allow_missing: boolean },
  (raw, at) => {
    if (!raw.header) at.fail('header name must be set for HTTP header matchers')
    if (!raw.regexp?.source) at.fail('regexp must be set for HTTP header matchers')
    return { header: raw.header!, pattern: raw.regexp!, allowMissing: raw.allow_missing ?? false }
  },
)

const http: Decoder<HttpProbe> = object(
  PLAIN,
  {
    ...HTTP_FIELDS,
    ...ADDRESSING_FIELDS,
    valid_status_codes: typed(list(integer), isSeq, '[]int'),
    valid_http_versions: strings,
    skip_resolve_phase_with_proxy: boolean,
    no_follow_redirects: boolean,
    fail_if_ssl: boolean,
    fail_if_not_ssl: boolean,
    method: string,
    headers: headerMap,
    fail_if_body_matches_regexp: typed(list(pattern), isSeq, '[]config.Regexp'),
    fail_if_body_not_matches_regexp: typed(list(pattern), isSeq, '[]config.Regexp'),
    fail_if_body_json_matches_cel: cel,
    fail_if_body_json_not_matches_cel: cel,
    fail_if_header_matches: typed(list(headerMatch), isSeq, '[]config.HeaderMatch'),
    fail_if_header_not_matches: typed(list(headerMatch), isSeq, '[]config.HeaderMatch'),
    body: string,
    body_file: string,
    compression: string,
    body_size_limit: size,
    enable_http3: boolean,
  },
  (raw, at) => {
    const client = finishHttp(raw, at)
    if (raw.body && raw.body_file) at.fail('setting body and body_file both are not allowed')
    const compression = raw.compression ?? ''
    for (const [name, value] of Object.entries(raw.headers ?? {}))
      if (name.toLowerCase() === 'accept-encoding' && !acceptsCompression(compression, value))
        at.fail(`invalid configuration "${name}: ${value}", "compression: ${compression}"`)
    checkHttp3(at, { isOn: raw.enable_http3 ?? false, versions: raw.valid_http_versions ?? [], client })
    return {
      addressing: addressingOf(raw),
      validStatusCodes: raw.valid_status_codes ?? [],
      validHttpVersions: raw.valid_http_versions ?? [],
      skipResolveWithProxy: raw.skip_resolve_phase_with_proxy ?? false,
      failIfSsl: raw.fail_if_ssl ?? false,
      failIfNotSsl: raw.fail_if_not_ssl ?? false,
      method: raw.method || 'GET',
      headers: raw.headers ?? {},
      failIfBodyMatches: raw.fail_if_body_matches_regexp ?? [],
      failIfBodyNotMatches: raw.fail_if_body_not_matches_regexp ?? [],
      failIfBodyJsonMatches: raw.fail_if_body_json_matches_cel ?? null,
      failIfBodyJsonNotMatches: raw.fail_if_body_json_not_matches_cel ?? null,
      failIfHeaderMatches: raw.fail_if_header_matches ?? [],
      failIfHeaderNotMatches: raw.fail_if_header_not_matches ?? [],
      body: raw.body ?? '',
      bodyFile: raw.body_file ?? '',
      compression,
      bodySizeLimit: Math.max(0, raw.body_size_limit ?? 0),
      enableHttp3: raw.enable_http3 ?? false,
      client: {
        ...client,
        followRedirects: raw.no_follow_redirects === undefined ? client.followRedirects : !raw.no_follow_redirects,
      },
    }
  },
)

function checkHttp3(
  at: Cursor,
  options: { readonly isOn: boolean; readonly versions: readonly string[]; readonly client: HttpClientConfig },
): void {
  if (!options.isOn) {
    if (options.versions.includes('HTTP/3.0'))
      at.fail('HTTP/3 cannot be used as a valid HTTP version when enable_http3 is false')
    return
  }
  if (options.versions.some((version) => version === 'HTTP/1.1' || version === 'HTTP/2.0'))
    at.fail('HTTP/3 and HTTP/2.0/1.1 cannot be used together - only HTTP/3.0 is allowed when enable_http3 is true')
  if (options.client.enableHttp2) at.fail('when enable_http3 is true, enable_http2 must be set to false')
}

const queryResponse: Decoder<readonly QueryResponse[]> = typed(
  list(
    object(
      PLAIN,
      {
        expect: pattern,
        expect_bytes: string,
        labels: typed(
          list(
            object('config.Label', { name: string, value: string }, (raw) => ({
              name: raw.name ?? '',
              value: raw.value ?? '',
            })),
          ),
          isSeq,
          '[]config.Label',
        ),
        send: string,
        starttls: boolean,
      },
      (raw, at): QueryResponse => {
        if (raw.expect && raw.expect_bytes) at.fail('expect and expect_bytes are mutually exclusive')
        return {
          expect: raw.expect ?? null,
          expectBytes: raw.expect_bytes ?? '',
          labels: raw.labels ?? [],
          send: raw.send ?? '',
          startTls: raw.starttls ?? false,
        }
      },
    ),
  ),
  isSeq,
  '[]config.QueryResponse',
)

const STREAM_FIELDS = { query_response: queryResponse, tls: boolean, tls_config: tlsConfig }

const tcp: Decoder<TcpProbe> = object(
  PLAIN,
  { ...ADDRESSING_FIELDS, ...STREAM_FIELDS, source_ip_address: string },
  (raw) => ({
    addressing: addressingOf(raw),
    sourceAddress: raw.source_ip_address ?? '',
    queryResponse: raw.query_response ?? [],
    tls: raw.tls ?? false,
    tlsConfig: raw.tls_config ?? null,
  }),
)

const unix: Decoder<UnixProbe> = object(PLAIN, STREAM_FIELDS, (raw) => ({
  queryResponse: raw.query_response ?? [],
  tls: raw.tls ?? false,
  tlsConfig: raw.tls_config ?? null,
}))

const icmp: Decoder<IcmpProbe> = object(
  PLAIN,
  { ...ADDRESSING_FIELDS, source_ip_address: string, payload_size: integer, dont_fragment: boolean, ttl: integer },
  (raw, at) => {
    const ttl = raw.ttl ?? 64
    if (ttl < 0) at.fail('"ttl" cannot be negative')
    if (ttl > 255) at.fail('"ttl" cannot exceed 255')
    const payloadSize = raw.payload_size ?? 0
    // Differs: upstream sends none of these at all, packet after packet.
    if (payloadSize < 0 || payloadSize > 65_000) at.fail('"payload_size" must be from 0 to 65000')
    return {
      addressing: addressingOf(raw),
      sourceAddress: raw.source_ip_address ?? '',
      payloadSize,
      dontFragment: raw.dont_fragment ?? false,
      ttl,
    }
  },
)

const NO_CHECKS: RecordChecks = { failIfMatches: [], failIfAllMatch: [], failIfNotMatches: [], failIfNoneMatches: [] }
/** Differs: upstream compiles these at each probe, which then fails. */
const recordChecks: Decoder<RecordChecks> = object(
  PLAIN,
  {
    fail_if_matches_regexp: typed(list(pattern), isSeq, '[]string'),
    fail_if_all_match_regexp: typed(list(pattern), isSeq, '[]string'),
    fail_if_not_matches_regexp: typed(list(pattern), isSeq, '[]string'),
    fail_if_none_matches_regexp: typed(list(pattern), isSeq, '[]string'),
  },
  (raw) => ({
    failIfMatches: raw.fail_if_matches_regexp ?? [],
    failIfAllMatch: raw.fail_if_all_match_regexp ?? [],
    failIfNotMatches: raw.fail_if_not_matches_regexp ?? [],
    failIfNoneMatches: raw.fail_if_none_matches_regexp ?? [],
  }),
)

const DEFAULT_DNS: DnsProbe = {
  addressing: addressingOf({}),
  overTls: false,
  tlsConfig: null,
  sourceAddress: '',
  transport: '',
  queryClass: '',
  queryName: '',
  queryType: '',
  recursion: true,
  validRcodes: null,
  answer: NO_CHECKS,
  authority: NO_CHECKS,
  additional: NO_CHECKS,
}
const dns: Decoder<DnsProbe> = object(
  PLAIN,
  {
    ...ADDRESSING_FIELDS,
    dns_over_tls: boolean,
    tls_config: tlsConfig,
    source_ip_address: string,
    transport_protocol: string,
    query_class: string,
    query_name: string,
    query_type: string,
    recursion_desired: boolean,
    valid_rcodes: strings,
    validate_answer_rrs: recordChecks,
    validate_authority_rrs: recordChecks,
    validate_additional_rrs: recordChecks,
  },
  (raw, at) => {
    if (!raw.query_name) at.fail('query name must be set for DNS module')
    if (raw.query_class && DNS_CLASSES[raw.query_class] === undefined)
      at.fail(`query class '${raw.query_class}' is not valid`)
    if (raw.query_type && DNS_TYPES[raw.query_type] === undefined)
      at.fail(`query type '${raw.query_type}' is not valid`)
    return {
      addressing: addressingOf(raw),
      overTls: raw.dns_over_tls ?? false,
      tlsConfig: raw.tls_config ?? null,
      sourceAddress: raw.source_ip_address ?? '',
      transport: raw.transport_protocol ?? '',
      queryClass: raw.query_class ?? '',
      queryName: raw.query_name ?? '',
      queryType: raw.query_type ?? '',
      recursion: raw.recursion_desired ?? true,
      validRcodes: raw.valid_rcodes ?? null,
      answer: raw.validate_answer_rrs ?? NO_CHECKS,
      authority: raw.validate_authority_rrs ?? NO_CHECKS,
      additional: raw.validate_additional_rrs ?? NO_CHECKS,
    }
  },
)

const grpc: Decoder<GrpcProbe> = object(
  PLAIN,
  {
    ...ADDRESSING_FIELDS,
    service: string,
    tls: boolean,
    tls_config: tlsConfig,
    metadata: typed(record(typed(list(headerValue), isSeq, '[]string')), isMap, 'metadata.MD'),
  },
  (raw) => ({
    addressing: addressingOf(raw),
    service: raw.service ?? '',
    tls: raw.tls ?? false,
    tlsConfig: raw.tls_config ?? null,
    metadata: raw.metadata ?? {},
  }),
)

const websocket: Decoder<WebsocketProbe> = object(
  PLAIN,
  {
    ...ADDRESSING_FIELDS,
    http_config: object(PLAIN, HTTP_FIELDS, (raw, at) => finishHttp(raw, at)),
    headers: headerMap,
    query_response: queryResponse,
  },
  (raw, at) => ({
    addressing: addressingOf(raw),
    client: raw.http_config ?? finishHttp({}, at),
    headers: raw.headers ?? {},
    queryResponse: raw.query_response ?? [],
  }),
)

const MODULE_FIELDS = {
  prober: string,
  timeout: goDuration,
  http,
  tcp,
  unix,
  icmp,
  dns: orDefault(dns, DEFAULT_DNS),
  grpc,
  websocket,
}

/** A key without a value leaves the default, which need not be one that the decoder would take. */
function orDefault<T>(decoder: Decoder<T>, fallback: T): Decoder<T> {
  return (at) => (at.isNull ? fallback : decoder(at))
}

const module: Decoder<Module> = object(PLAIN, MODULE_FIELDS, (raw, at) => {
  const prober = raw.prober ?? ''
  if (!(PROBERS as readonly string[]).includes(prober)) at.fail(`prober '${prober}' is not valid`)
  const nothing = at.child(null, '')
  return {
    prober: prober as Prober,
    timeoutMs: raw.timeout ?? 0,
    http: raw.http ?? http(nothing),
    tcp: raw.tcp ?? tcp(nothing),
    unix: raw.unix ?? unix(nothing),
    icmp: raw.icmp ?? icmp(nothing),
    dns: raw.dns ?? DEFAULT_DNS,
    grpc: raw.grpc ?? grpc(nothing),
    websocket: raw.websocket ?? websocket(nothing),
  }
})

const root: Decoder<Readonly<Record<string, Module>>> = object(
  PLAIN,
  { modules: typed(record(module), isMap, 'map[string]config.Module') },
  (raw) => raw.modules ?? {},
)
