/** The DNS prober. Semantics: blackbox_exporter prober/dns.go (v0.28). */

import { type DnsMessage, type DnsRecordText, decodeMessage, encodeQuestion } from './dns-message.ts'
import { DNS_CLASSES, DNS_RCODES, DNS_TYPES, rcodeName } from './dns-names.ts'
import type { RecordChecks } from './modules.ts'
import { leftMs, type ProbeContext, ProbeFailure, resolve, splitHostPort, step } from './probe.ts'
import { ByteStream } from './stream.ts'

const SOA = 6

export async function probeDns(context: ProbeContext): Promise<void> {
  const { page, log, module, deps } = context
  const { dns } = module
  for (const phase of ['resolve', 'connect', 'request']) page.add('probe_dns_duration_seconds', 0, { phase })
  page.register(
    'probe_dns_answer_rrs',
    'probe_dns_authority_rrs',
    'probe_dns_additional_rrs',
    'probe_dns_query_succeeded',
  )
  const transport = dns.transport || 'udp'
  if (transport !== 'udp' && transport !== 'tcp') {
    log.error('Configuration error: Expected transport protocol udp or tcp', { protocol: transport })
    throw new ProbeFailure('Expected transport protocol udp or tcp', { protocol: transport })
  }
  const split = splitHostPort(context.target)
  const isBareV6 = split.port === '' && split.host.includes(':')
  const host = isBareV6 ? context.target : split.host
  const port = Number(split.port || (dns.overTls ? 853 : 53))
  const { address, seconds } = await resolve(context, host, dns.addressing)
  page.add('probe_dns_duration_seconds', seconds, { phase: 'resolve' })
  if (dns.overTls && transport !== 'tcp')
    throw new ProbeFailure('Expected transport protocol tcp for DoT', { protocol: transport })
  const type = dns.queryType === '' ? DNS_TYPES['ANY']! : DNS_TYPES[dns.queryType]!
  const id = Math.floor(deps.random.float() * 0x10000)
  const question = await step('Error while sending a DNS query', context, () =>
    encodeQuestion({
      id,
      name: asciiName(dns.queryName),
      type,
      dnsClass: dns.queryClass === '' ? DNS_CLASSES['IN']! : DNS_CLASSES[dns.queryClass]!,
      recursion: dns.recursion,
    }),
  )
  log.info('Making DNS query', { target: address, dial_protocol: transport, query: dns.queryName, type })
  const times = { start: deps.clock.monotonic(), asked: Number.NaN }
  let message: DnsMessage
  try {
    message = await step('Error while sending a DNS query', context, async () => {
      const bytes = await exchange(context, { host, address, port, transport }, question, times)
      const decoded = decodeMessage(bytes)
      if (decoded.id !== id) throw new Error('dns: id mismatch')
      return decoded
    })
  } finally {
    const now = deps.clock.monotonic()
    const asked = Number.isNaN(times.asked) ? now : times.asked
    page.set('probe_dns_duration_seconds', (asked - times.start) / 1000, { phase: 'connect' })
    page.set('probe_dns_duration_seconds', (now - asked) / 1000, { phase: 'request' })
  }
  report(context, message, type)
  checkRcode(context, message.rcode)
  for (const [name, records, checks] of [
    ['Answer', message.answer, dns.answer],
    ['Authority', message.authority, dns.authority],
    ['Additional', message.additional, dns.additional],
  ] as const) {
    log.info(`Validating ${name} RRs`)
    checkRecords(context, name, records, checks)
  }
}

function report({ page, log }: ProbeContext, message: DnsMessage, type: number): void {
  const { answer, authority, additional, rcode } = message
  log.info('Got response', { rcode: rcodeName(rcode), answer: answer.map(({ text }) => text).join('\n') })
  page.set('probe_dns_answer_rrs', answer.length)
  page.set('probe_dns_authority_rrs', authority.length)
  page.set('probe_dns_additional_rrs', additional.length)
  page.set('probe_dns_query_succeeded', 1)
  if (type === SOA) page.set('probe_dns_serial', answer.findLast(({ serial }) => serial !== null)?.serial ?? 0)
}

type Server = {
  readonly host: string
  readonly address: string
  readonly port: number
  readonly transport: 'udp' | 'tcp'
}

async function exchange(
  context: ProbeContext,
  { host, address, port, transport }: Server,
  question: Uint8Array,
  times: { asked: number },
): Promise<Uint8Array> {
  const { deps, module } = context
  const { dns } = module
  const from = dns.sourceAddress === '' ? {} : { localAddress: dns.sourceAddress }
  const place = { host: address, port }
  if (transport === 'udp') {
    times.asked = deps.clock.monotonic()
    return deps.net.askUdp(place, question, { timeoutMs: leftMs(context), ...from })
  }
  let socket = await deps.net.connect(place, { timeoutMs: leftMs(context), ...from })
  try {
    if (dns.overTls) {
      const tls = deps.access.tls(dns.tlsConfig)
      socket = (await deps.net.startTls(socket, { host, tls, timeoutMs: leftMs(context) })).socket
    }
    times.asked = deps.clock.monotonic()
    const stream = new ByteStream(socket, deps.clock, context.deadlineMs)
    const framed = new Uint8Array(2 + question.length)
    new DataView(framed.buffer).setUint16(0, question.length)
    framed.set(question, 2)
    stream.write(framed)
    const [high = 0, low = 0] = await stream.readExactly(2)
    return await stream.readExactly((high << 8) | low)
  } finally {
    socket.destroy()
  }
}

/** Letters beyond ASCII as IDNA writes them. */
function asciiName(name: string): string {
  if (/^[\x00-\x7f]*$/.test(name)) return name
  try {
    return new URL(`http://${name}`).hostname
  } catch {
    return name
  }
}

function checkRcode({ module, log }: ProbeContext, rcode: number): void {
  const valid = module.dns.validRcodes ?? ['NOERROR']
  const unknown = valid.find((name) => DNS_RCODES[name] === undefined)
  if (unknown !== undefined) throw new ProbeFailure('Invalid rcode', { rcode: unknown })
  if (!valid.some((name) => DNS_RCODES[name] === rcode))
    throw new ProbeFailure('Rcode is not one of the valid rcodes', {
      rcode,
      string_rcode: rcodeName(rcode),
      valid_rcodes: valid.join(' '),
    })
  log.info('Rcode is valid', { rcode, string_rcode: rcodeName(rcode) })
}

function checkRecords(
  { log }: ProbeContext,
  section: string,
  records: readonly DnsRecordText[],
  { failIfMatches, failIfAllMatch, failIfNotMatches, failIfNoneMatches }: RecordChecks,
): void {
  const fail = (problem: string, fields: Readonly<Record<string, string>> = {}): never => {
    log.error(problem, fields)
    throw new ProbeFailure(`${section} RRs validation failed`, { problem, ...fields })
  }
  if (records.length === 0 && failIfNotMatches.length > 0)
    fail('fail_if_not_matches_regexp specified but no RRs returned')
  if (records.length === 0 && failIfNoneMatches.length > 0)
    fail('fail_if_none_matches_regexp specified but no RRs returned')
  let allMatch = true
  let anyMatch = false
  for (const { text } of records) {
    log.info('Validating RR', { rr: text })
    const matches = ({ regex }: { readonly regex: RecordChecks['failIfMatches'][number]['regex'] }): boolean =>
      regex.test(text)
    const bad = failIfMatches.find(matches)
    if (bad) fail('At least one RR matched regexp', { regexp: bad.source, rr: text })
    if (!failIfAllMatch.every(matches)) allMatch = false
    const missing = failIfNotMatches.find((one) => !matches(one))
    if (missing) fail('At least one RR did not match regexp', { regexp: missing.source, rr: text })
    if (failIfNoneMatches.some(matches)) anyMatch = true
  }
  // As upstream: this check fails where NOT all match, whatever its name says.
  if (failIfAllMatch.length > 0 && !allMatch) fail('Not all RRs matched regexp')
  if (failIfNoneMatches.length > 0 && !anyMatch) fail('None of the RRs did matched any regexp')
}
