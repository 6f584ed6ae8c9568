/**
 * What the local NTP daemon thinks of the clock: one SNTP question per scrape. Semantics: node_exporter collector/ntp.go
 * and the library it asks with (github.com/beevik/ntp); RFC 5905 for the packet.
 */
import type { Clock, Random } from '../../protocol/env/mod.ts'
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import { booleanFlag, durationFlag, FlagError, type Flags, integerFlag, stringFlag } from '../contract.ts'
import { type Collector, type NodeContext, single, UnavailableError } from './collector.ts'
import { viewOf } from './netlink.ts'

const PACKET_BYTES = 48
const CLIENT = 3
const SERVER = 4
const TIMEOUT_MS = 1_000
/** Seconds from 1900 to 1970. */
const ERA_SECONDS = 2_208_988_800
const ERA_LENGTH_SECONDS = 2 ** 32
const LEAP = { addSecond: 1, deleteSecond: 2, notInSync: 3 } as const
const MAX_STRATUM = 16
const MAX_POLL_SECONDS = 1 << 17
const MAX_DISPERSION_SECONDS = 16
const DAY_SECONDS = 86_400

/** Times in seconds since 1970. */
export type NtpAnswer = {
  readonly leap: number
  readonly stratum: number
  readonly rootDelay: number
  readonly rootDispersion: number
  /** 0 for none. */
  readonly reference: number
  readonly received: number
  readonly transmitted: number
}

export function ntpCollector(context: NodeContext): Collector {
  const { flags, clock } = context
  const { server, port, version, ttl } = settings(flags)
  const maxDistance = durationFlag(flags, 'collector.ntp.max-distance', 3466.08) / 1000
  const tolerance = durationFlag(flags, 'collector.ntp.local-offset-tolerance', 1) / 1000
  if (tolerance < 0)
    throw new FlagError('collector.ntp.local-offset-tolerance', 'offset tolerance must be non-negative')
  /** The midnight of the last leap second: its flag is dropped right after. */
  let leapMidnight = -Infinity
  return {
    name: 'ntp',
    async update() {
      const ask = context.net?.askUdp
      if (!ask) throw new UnavailableError('Datagrams are not available to this process; turn the collector off')
      const request = new Uint8Array(PACKET_BYTES)
      request[0] = (version << 3) | CLIENT
      // Only who saw the question can answer it.
      const nonce = nonceOf(context.random, clock)
      request.set(nonce, 40)
      const sent = preciseNow(context)
      const start = clock.monotonic()
      const bytes = await ask({ host: server, port }, request, { timeoutMs: TIMEOUT_MS, ttl })
      const arrived = sent + (clock.monotonic() - start) / 1000
      const answer = decodeAnswer(bytes, nonce)
      const { received, transmitted } = answer
      const roundTrip = Math.max(0, arrived - sent - (transmitted - received))
      const offset = (received - sent + (transmitted - arrived)) / 2
      if (answer.leap === LEAP.addSecond || answer.leap === LEAP.deleteSecond)
        leapMidnight = Math.floor(transmitted / DAY_SECONDS) * DAY_SECONDS + DAY_SECONDS
      // A second is smeared over the day around it.
      const isSmeared = Math.abs(transmitted - leapMidnight) < DAY_SECONDS
      const allowed = tolerance + (isSmeared ? 1 : 0)
      const violation = Math.max(0, sent - received, transmitted - arrived)
      const distance = (roundTrip + answer.rootDelay) / 2 + answer.rootDispersion
      const sane = isValid(answer) && distance <= maxDistance && violation <= allowed
      return families(answer, roundTrip, offset, sane)
    },
  }
}

function settings(flags: Flags) {
  const server = stringFlag(flags, 'collector.ntp.server', '127.0.0.1')
  const isLocal = booleanFlag(flags, 'collector.ntp.server-is-local', false)
  if (!isLocal && !/^127(?:\.\d{1,3}){3}$|^::1$/.test(server))
    throw new FlagError('collector.ntp.server', `only the IP address of a local NTP server is valid, got "${server}"`)
  const port = integerFlag(flags, 'collector.ntp.server-port', 123)
  if (port < 1 || port > 65_535)
    throw new FlagError('collector.ntp.server-port', `must be between 1 and 65535 inclusive, got ${port}`)
  const version = integerFlag(flags, 'collector.ntp.protocol-version', 4)
  if (version < 2 || version > 4)
    throw new FlagError('collector.ntp.protocol-version', `must be 2, 3, or 4, got ${version}`)
  return { server, port, version, ttl: integerFlag(flags, 'collector.ntp.ip-ttl', 1) }
}

function nonceOf(random: Random | undefined, clock: Clock): Uint8Array {
  if (random) return random.bytes(8)
  const out = new Uint8Array(8)
  new DataView(out.buffer).setFloat64(0, clock.now() + clock.monotonic())
  return out
}

const TIMEX_BYTES = 208

/** Seconds since 1970, in microseconds where the kernel can be asked: the runtime's clock has milliseconds. */
function preciseNow({ kernel, clock }: NodeContext): number {
  const timex = new Uint8Array(TIMEX_BYTES)
  try {
    // The first call loads the library, which takes longer than what is measured.
    kernel?.adjtimex(timex)
    if (!kernel) return clock.now() / 1000
    kernel.adjtimex(timex)
  } catch {
    return clock.now() / 1000
  }
  const view = viewOf(timex)
  const isNano = (view.getInt32(40, true) & 0x2000) !== 0
  return Number(view.getBigInt64(72, true)) + Number(view.getBigInt64(80, true)) / (isNano ? 1e9 : 1e6)
}

/** @throws Error for what is no answer to the question with this nonce */
export function decodeAnswer(bytes: Uint8Array, nonce: Uint8Array): NtpAnswer {
  if (bytes.length < PACKET_BYTES) throw new Error(`NTP answer of ${bytes.length} bytes; ${PACKET_BYTES} expected`)
  if ((bytes[0]! & 7) !== SERVER) throw new Error(`NTP answer with mode ${bytes[0]! & 7}; ${SERVER} expected`)
  const view = viewOf(bytes)
  if (nonce.some((byte, i) => bytes[24 + i] !== byte)) throw new Error('NTP answer to another question')
  const transmitted = timestamp(view, 40)
  if (transmitted === 0) throw new Error('NTP answer without a time')
  return {
    leap: bytes[0]! >> 6,
    stratum: bytes[1]!,
    rootDelay: view.getUint32(4) / 65_536,
    rootDispersion: view.getUint32(8) / 65_536,
    reference: timestamp(view, 16),
    received: timestamp(view, 32),
    transmitted,
  }
}

/** 0 for none; what would be before 1970 is of the era that begins in 2036. */
function timestamp(view: DataView, at: number): number {
  const whole = view.getUint32(at)
  const fraction = view.getUint32(at + 4) / 2 ** 32
  if (whole === 0 && fraction === 0) return 0
  return whole - ERA_SECONDS + fraction + (whole < ERA_SECONDS ? ERA_LENGTH_SECONDS : 0)
}

function isValid({ leap, stratum, rootDelay, rootDispersion, reference, transmitted }: NtpAnswer): boolean {
  return (
    stratum > 0 &&
    stratum < MAX_STRATUM &&
    transmitted - reference <= MAX_POLL_SECONDS &&
    rootDelay / 2 + rootDispersion <= MAX_DISPERSION_SECONDS &&
    transmitted >= reference &&
    leap !== LEAP.notInSync
  )
}

function families(answer: NtpAnswer, roundTrip: number, offset: number, sane: boolean): MetricFamily[] {
  const one = (name: string, help: string, value: number): MetricFamily => single('gauge', `ntp_${name}`, help, value)
  return [
    one('leap', 'NTPD leap second indicator, 2 bits.', answer.leap),
    one('offset_seconds', 'ClockOffset between NTP and local clock.', offset),
    one('reference_timestamp_seconds', 'NTPD ReferenceTime, UNIX timestamp.', answer.reference),
    one('root_delay_seconds', 'NTPD RootDelay.', answer.rootDelay),
    one('root_dispersion_seconds', 'NTPD RootDispersion.', answer.rootDispersion),
    one('rtt_seconds', 'RTT to NTPD.', roundTrip),
    one('sanity', 'NTPD sanity according to RFC5905 heuristics and configured limits.', sane ? 1 : 0),
    one('stratum', 'NTPD stratum.', answer.stratum),
  ]
}
