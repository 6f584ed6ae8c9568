/** What every prober is given, how it fails, and how a name becomes an address. */
import type { HttpClientConfig, TlsConfig } from '../../protocol/config/mod.ts'
import type { Clock, HttpRequest, LogFields, ProbeNet, Random, TlsOptions, TlsSession } from '../../protocol/env/mod.ts'
import type { Addressing, Module } from './modules.ts'
import type { ProbePage } from './page.ts'

/** Parts of the agent's HTTP client: credentials, certificates and proxies are read there as for scrapes. */
export type ProbeAccess = {
  /** Lower-case names; tokens of OAuth 2 included. Files are read anew. @throws Error */
  headers(client: HttpClientConfig): Promise<Readonly<Record<string, string>>>
  /** @throws Error naming the file that cannot be read */
  tls(config: TlsConfig | null): TlsOptions
  proxy(client: HttpClientConfig, url: string): HttpRequest['proxy']
}

export type ProbeDeps = {
  readonly net: ProbeNet
  readonly clock: Clock
  readonly random: Random
  readonly access: ProbeAccess
  readonly readFile: (path: string) => Uint8Array
  readonly version: string
}

/** What a probe tells while it runs; errors are among the reasons why it failed. */
export type ProbeLog = {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

export type ProbeContext = {
  readonly deps: ProbeDeps
  readonly target: string
  readonly module: Module
  readonly page: ProbePage
  readonly log: ProbeLog
  /** Monotonic. */
  readonly deadlineMs: number
}

/** Resolves when the probe was a success. @throws ProbeFailure, NetError */
export type Probe = (context: ProbeContext) => Promise<void>

export class ProbeFailure extends Error {
  readonly fields: LogFields
  constructor(reason: string, fields: LogFields = {}, options?: ErrorOptions) {
    super(reason, options)
    this.name = 'ProbeFailure'
    this.fields = fields
  }
}

/** What is left of the probe's time, at least a moment, so that whatever is begun ends by itself. */
export function leftMs({ deps, deadlineMs }: ProbeContext): number {
  return Math.max(1, deadlineMs - deps.clock.monotonic())
}

/** Runs one step; its failure is the probe's, with this reason. */
export async function step<T>(reason: string, context: ProbeContext, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof ProbeFailure) throw error
    const err = (error as Error).message
    context.log.error(reason, { err })
    throw new ProbeFailure(reason, { err }, { cause: error })
  }
}

export type Resolved = { readonly address: string; readonly seconds: number }

/**
 * An address of the kind that is preferred, else of the other one where that is allowed.
 * Semantics: blackbox_exporter prober/utils.go, chooseProtocol (v0.28).
 */
export async function resolve(context: ProbeContext, host: string, addressing: Addressing): Promise<Resolved> {
  const { page, log, deps } = context
  page.register('probe_ip_protocol', 'probe_dns_lookup_time_seconds', 'probe_ip_addr_hash')
  const wanted = addressing.preferred === 'ip6' || addressing.preferred === '' ? 6 : 4
  log.info('Resolving target address', { target: host, ip_protocol: `ip${wanted}` })
  const started = deps.clock.monotonic()
  const seconds = (): number => (deps.clock.monotonic() - started) / 1000
  let found: readonly string[]
  try {
    found = await deps.net.lookup(host, { timeoutMs: leftMs(context) })
  } catch (error) {
    const err = (error as Error).message
    log.error('Resolution with IP protocol failed', { target: host, ip_protocol: `ip${wanted}`, err })
    throw new ProbeFailure('Error resolving address', { err }, { cause: error })
  } finally {
    page.add('probe_dns_lookup_time_seconds', seconds())
  }
  const address =
    found.find((one) => family(one) === wanted) ?? (addressing.fallback ? found.find((one) => one !== '') : undefined)
  if (address === undefined) {
    log.error('Resolution with IP protocol failed', { target: host, ip_protocol: `ip${wanted}` })
    throw new ProbeFailure('Error resolving address', { err: 'unable to find ip; no fallback' })
  }
  page.set('probe_ip_protocol', family(address))
  page.set('probe_ip_addr_hash', addressHash(address))
  log.info('Resolved target address', { target: host, ip: address })
  return { address, seconds: seconds() }
}

export const family = (address: string): 4 | 6 => (address.includes(':') ? 6 : 4)

/** FNV-1a of the address's bytes, four or sixteen. */
export function addressHash(address: string): number {
  let hash = 0x811c9dc5
  for (const byte of addressBytes(address)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

function addressBytes(address: string): Uint8Array {
  const bare = address.replace(/%.*$/, '')
  if (family(bare) === 4) return Uint8Array.from(bare.split('.').map(Number))
  const plain = bare.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => {
    const pair = (x: string, y: string): string => ((Number(x) << 8) | Number(y)).toString(16)
    return `${pair(a, b)}:${pair(c, d)}`
  })
  const [head = '', tail] = plain.split('::')
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
  const [before, after] = [groups(head), groups(tail ?? '')]
  const all = [...before, ...new Array<number>(Math.max(0, 8 - before.length - after.length)).fill(0), ...after]
  const bytes = Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]))
  const isMapped = all.slice(0, 5).every((group) => group === 0) && all[5] === 0xffff
  return isMapped ? bytes.subarray(12) : bytes
}

/** `host:port`, `[::1]:80`; the port is '' where there is none. */
export function splitHostPort(text: string): { readonly host: string; readonly port: string } {
  const bracketed = /^\[([^\]]*)\](?::(\d*))?$/.exec(text)
  if (bracketed) return { host: bracketed[1]!, port: bracketed[2] ?? '' }
  const plain = /^([^:]*):(\d*)$/.exec(text)
  return plain ? { host: plain[1]!, port: plain[2]! } : { host: text, port: '' }
}

export const joinHostPort = (host: string, port: string | number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

const VERSIONS: Readonly<Record<string, string>> = {
  TLSv1: 'TLS 1.0',
  'TLSv1.1': 'TLS 1.1',
  'TLSv1.2': 'TLS 1.2',
  'TLSv1.3': 'TLS 1.3',
}
/** The zero of Go's time.Time, which upstream shows where no chain was verified. */
const NO_TIME_SECONDS = -62_135_596_800

/** Semantics: blackbox_exporter prober/tls.go (v0.28). */
export function setTlsMetrics(
  page: ProbePage,
  { version, cipher, chain, isVerified }: TlsSession,
  options: { readonly withCipher?: boolean; readonly withChainExpiry?: boolean; readonly isChecked: boolean },
): void {
  const earliest = Math.min(...chain.map(({ notAfterMs }) => notAfterMs))
  const seconds = chain.length === 0 ? NO_TIME_SECONDS : Math.floor(earliest / 1000)
  page.set('probe_ssl_earliest_cert_expiry', seconds)
  page.set('probe_tls_version_info', 1, { version: VERSIONS[version] ?? 'unknown' })
  if (options.withCipher) page.set('probe_tls_cipher_info', 1, { cipher })
  if (options.withChainExpiry)
    page.set(
      'probe_ssl_last_chain_expiry_timestamp_seconds',
      isVerified && options.isChecked ? seconds : NO_TIME_SECONDS,
    )
  const [leaf] = chain
  if (leaf)
    page.set('probe_ssl_last_chain_info', 1, {
      fingerprint_sha256: leaf.fingerprintSha256,
      subject: leaf.subject,
      issuer: leaf.issuer,
      subjectalternative: leaf.dnsNames.join(','),
      serialnumber: leaf.serialNumber,
    })
}

/** Lone surrogates stand for bytes that are no UTF-8: see `string` in protocol/config/decode.ts. */
export function bytesOf(text: string): Uint8Array {
  if (text.isWellFormed()) return new TextEncoder().encode(text)
  return Uint8Array.from(text, (char) => char.charCodeAt(0) & 0xff)
}
