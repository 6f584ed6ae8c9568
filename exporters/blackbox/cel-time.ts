/** Timestamps and durations of CEL, to the nanosecond. Semantics: cel-spec doc/langdef.md; cel-go common/types. */
import { parseGoDuration } from '../../protocol/durations/mod.ts'
import { CelDuration, CelTimestamp } from './cel-value.ts'

const NS_PER_S = 1_000_000_000n
const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))$/

/** @throws Error for what is no time of RFC 3339 */
export function parseTimestamp(text: string): CelTimestamp {
  const match = RFC_3339.exec(text)
  const fail = (): never => {
    throw new Error(`type conversion error from 'string' to 'google.protobuf.Timestamp'`)
  }
  if (match === null) return fail()
  const [, year, month, day, hour, minute, second, fraction = '', sign, offsetHour = '0', offsetMinute = '0'] = match
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return fail()
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59 || Number(offsetHour) > 23) return fail()
  date.setUTCHours(Number(hour), Number(minute), Number(second))
  const offsetS = (Number(offsetHour) * 60 + Number(offsetMinute)) * 60 * (sign === '-' ? -1 : 1)
  const seconds = BigInt(date.getTime() / 1000 - offsetS)
  return timestamp(seconds * NS_PER_S + BigInt(fraction.padEnd(9, '0')))
}

export const timestampOfSeconds = (seconds: bigint): CelTimestamp => timestamp(seconds * NS_PER_S)

/** @throws Error for what is no duration of Go */
export function parseDuration(text: string): CelDuration {
  try {
    return duration(BigInt(Math.round(parseGoDuration(text) * 1e6)))
  } catch (error) {
    throw new Error(`type conversion error from 'string' to 'google.protobuf.Duration'`, { cause: error })
  }
}

/** Whole seconds, towards the past. */
export function secondsOf({ ns }: CelTimestamp): bigint {
  const seconds = ns / NS_PER_S
  return ns % NS_PER_S < 0n ? seconds - 1n : seconds
}

const fractionText = (ns: bigint): string => {
  const digits = (ns < 0n ? -ns : ns).toString().padStart(9, '0').replace(/0+$/, '')
  return digits === '' ? '' : `.${digits}`
}

export function formatTimestamp(time: CelTimestamp): string {
  const seconds = secondsOf(time)
  const whole = new Date(Number(seconds) * 1000).toISOString().replace(/\.000Z$/, '')
  return `${whole}${fractionText(time.ns - seconds * NS_PER_S)}Z`
}

export const formatDuration = ({ ns }: CelDuration): string =>
  `${ns < 0n && ns > -NS_PER_S ? '-' : ''}${ns / NS_PER_S}${fractionText(ns % NS_PER_S)}s`

type Part = (date: Date) => number
/** Of a date whose UTC fields are those of the zone that is asked for. */
const PARTS: Readonly<Record<string, Part>> = {
  getFullYear: (date) => date.getUTCFullYear(),
  getMonth: (date) => date.getUTCMonth(),
  getDayOfYear: (date) => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000),
  getDayOfMonth: (date) => date.getUTCDate() - 1,
  getDate: (date) => date.getUTCDate(),
  getDayOfWeek: (date) => date.getUTCDay(),
  getHours: (date) => date.getUTCHours(),
  getMinutes: (date) => date.getUTCMinutes(),
  getSeconds: (date) => date.getUTCSeconds(),
  getMilliseconds: (date) => date.getUTCMilliseconds(),
}
/** Of a duration: the whole of it in that unit. */
const UNITS_NS: Readonly<Record<string, bigint>> = {
  getHours: 3600n * NS_PER_S,
  getMinutes: 60n * NS_PER_S,
  getSeconds: NS_PER_S,
  getMilliseconds: 1_000_000n,
}

export const TIME_PARTS: readonly string[] = Object.keys(PARTS)
export const DURATION_PARTS: readonly string[] = Object.keys(UNITS_NS)

/** @throws Error for a zone that nobody knows */
export function timePart(name: string, time: CelTimestamp, zone = 'UTC'): bigint {
  const ms = Number(time.ns / 1_000_000n)
  return BigInt(PARTS[name]!(new Date(ms + offsetMs(ms, zone))))
}

export const durationPart = (name: string, { ns }: CelDuration): bigint => ns / UNITS_NS[name]!

const MIN_TIME_NS = BigInt(Date.parse('0001-01-01T00:00:00Z')) * 1_000_000n
const MAX_TIME_NS = BigInt(Date.parse('9999-12-31T23:59:59Z')) * 1_000_000n + 999_999_999n

/** @throws Error beyond the years 1 to 9999 */
export function timestamp(ns: bigint): CelTimestamp {
  if (ns < MIN_TIME_NS || ns > MAX_TIME_NS) throw new Error('timestamp overflow')
  return new CelTimestamp(ns)
}

/** @throws Error beyond 63 bits */
export function duration(ns: bigint): CelDuration {
  if (ns !== BigInt.asIntN(64, ns)) throw new Error('duration overflow')
  return new CelDuration(ns)
}

/** To make one takes as long as twenty uses. Those of an expression stand here, and what some body brings beside them. */
const formats = new Map<string, Intl.DateTimeFormat>()
const MAX_FORMATS = 16
const FIXED_ZONE = /^([+-]?)(\d\d):(\d\d)$/

/** Whether its times are told quickly. */
export const isKnownZone = (zone: string): boolean =>
  zone === 'UTC' || zone === '' || FIXED_ZONE.test(zone) || formats.has(zone)

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone)
  if (format !== undefined) return format
  try {
    format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
  } catch (error) {
    throw new Error(`unknown time zone ${zone}`, { cause: error })
  }
  if (formats.size < MAX_FORMATS) formats.set(zone, format)
  return format
}

function offsetMs(ms: number, zone: string): number {
  const fixed = FIXED_ZONE.exec(zone)
  if (fixed) return (Number(fixed[2]) * 60 + Number(fixed[3])) * 60_000 * (fixed[1] === '-' ? -1 : 1)
  if (zone === 'UTC' || zone === '') return 0
  const text = formatOf(zone)
    .formatToParts(ms)
    .find(({ type }) => type === 'timeZoneName')!.value
  const match = /GMT([+-])(\d\d):(\d\d)(?::(\d\d))?/.exec(text)
  if (!match) return 0
  const seconds = Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0)
  return seconds * 1000 * (match[1] === '-' ? -1 : 1)
}
