/**
 * Go's time.Time and time.Duration as templates see them. Semantics: Go time/format.go, time/time.go.
 * Instants are bigint nanoseconds since 1970 and a zone; zones come from the runtime's Intl.
 */
import { GoStruct, type Value } from './values.ts'

const NS_PER_MS = 1_000_000n
const NS_PER_SECOND = 1_000_000_000n
/** 0001-01-01T00:00:00Z, the zero time. */
export const ZERO_TIME_NS = -62_135_596_800n * NS_PER_SECOND

export const MONTHS = 'January February March April May June July August September October November December'.split(' ')
export const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ')

export type Zone = {
  readonly name: string
  readonly at: (ms: number) => { readonly offsetMinutes: number; readonly short: string }
}
export const UTC: Zone = { name: 'UTC', at: () => ({ offsetMinutes: 0, short: 'UTC' }) }

/** null where the runtime does not know the zone. */
export function zone(name: string): Zone | null {
  if (name === '' || name === 'UTC') return UTC
  if (!/^[A-Za-z]/.test(name)) return null
  try {
    const offset = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' })
    const short = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'short' })
    const european = new Intl.DateTimeFormat('en-GB', { timeZone: name, timeZoneName: 'short' })
    const part = (format: Intl.DateTimeFormat, ms: number): string =>
      format.formatToParts(new Date(ms)).find(({ type }) => type === 'timeZoneName')?.value ?? ''
    return {
      name,
      at: (ms) => {
        const [, sign = '+', hours = '0', minutes = '0'] = /GMT([+-])?(\d+)?:?(\d+)?/.exec(part(offset, ms)) ?? []
        const offsetMinutes = (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes))
        const names = [part(short, ms), part(european, ms)]
        // Zones without letters of their own are shown by their offset, as in the tz database.
        const letters = names.find((text) => /^[A-Z]{2,5}$/.test(text))
        return { offsetMinutes, short: letters ?? numericZone(offsetMinutes) }
      },
    }
  } catch {
    return null
  }
}

function numericZone(offsetMinutes: number): string {
  const [hours, minutes] = [Math.trunc(Math.abs(offsetMinutes) / 60), Math.abs(offsetMinutes) % 60]
  return `${offsetMinutes < 0 ? '-' : '+'}${two(hours)}${minutes ? two(minutes) : ''}`
}

const two = (value: number): string => String(value).padStart(2, '0')

export type Instant = { readonly ns: bigint; readonly zone: Zone }
const INSTANTS = new WeakMap<GoStruct, Instant>()
const DURATIONS = new WeakMap<GoStruct, bigint>()

export const instantOf = (value: Value): Instant | null =>
  value instanceof GoStruct ? (INSTANTS.get(value) ?? null) : null
export const durationOf = (value: Value): bigint | null =>
  value instanceof GoStruct ? (DURATIONS.get(value) ?? null) : null

export function goTime(ns: bigint, where: Zone = UTC): GoStruct {
  const clock = wallClock(ns, where)
  const shifted = (by: bigint): GoStruct => goTime(ns + by, where)
  const other = (value: Value | undefined): bigint => {
    const found = instantOf(value ?? null)
    if (!found) throw new Error('wrong type for value; expected time.Time')
    return found.ns
  }
  const span = (value: Value | undefined): bigint => {
    if (typeof value === 'bigint') return value
    const found = durationOf(value ?? null)
    if (found === null) throw new Error('wrong type for value; expected time.Duration')
    return found
  }
  const text = (value: Value | undefined): string => {
    if (typeof value !== 'string') throw new Error('wrong type for value; expected string')
    return value
  }
  const out = new GoStruct(
    'time.Time',
    {},
    {
      String: () => formatTime({ ns, zone: where }, '2006-01-02 15:04:05.999999999 -0700 MST'),
      Format: (layout) => formatTime({ ns, zone: where }, text(layout)),
      Unix: () => floorDiv(ns, NS_PER_SECOND),
      UnixMilli: () => floorDiv(ns, NS_PER_MS),
      UnixMicro: () => floorDiv(ns, 1000n),
      UnixNano: () => ns,
      Add: (duration) => shifted(span(duration)),
      Sub: (time) => goDuration(ns - other(time)),
      After: (time) => ns > other(time),
      Before: (time) => ns < other(time),
      Equal: (time) => ns === other(time),
      IsZero: () => ns === ZERO_TIME_NS,
      UTC: () => goTime(ns),
      Local: () => goTime(ns),
      Year: () => BigInt(clock.year),
      Month: () => new GoStruct('time.Month', {}, { String: () => MONTHS[clock.month - 1]! }),
      Day: () => BigInt(clock.day),
      Hour: () => BigInt(clock.hour),
      Minute: () => BigInt(clock.minute),
      Second: () => BigInt(clock.second),
      Nanosecond: () => BigInt(clock.nanosecond),
      Weekday: () => new GoStruct('time.Weekday', {}, { String: () => DAYS[clock.weekday]! }),
      YearDay: () => BigInt(clock.yearDay),
      Truncate: (duration) => {
        const by = span(duration)
        return by <= 0n ? goTime(ns, where) : shifted(-(((ns - ZERO_TIME_NS) % by) + by) % by)
      },
    },
  )
  INSTANTS.set(out, { ns, zone: where })
  return out
}

export function goDuration(ns: bigint): GoStruct {
  const out = new GoStruct(
    'time.Duration',
    {},
    {
      String: () => formatDuration(ns),
      Nanoseconds: () => ns,
      Microseconds: () => ns / 1000n,
      Milliseconds: () => ns / NS_PER_MS,
      Seconds: () => Number(ns) / 1e9,
      Minutes: () => Number(ns) / 60e9,
      Hours: () => Number(ns) / 3600e9,
      Abs: () => goDuration(ns < 0n ? -ns : ns),
    },
  )
  DURATIONS.set(out, ns)
  return out
}

/** Such as `1h15m30.918s`. */
export function formatDuration(ns: bigint): string {
  if (ns === 0n) return '0s'
  const sign = ns < 0n ? '-' : ''
  const magnitude = ns < 0n ? -ns : ns
  const withFraction = (whole: bigint, unit: bigint, digits: number): string => {
    const fraction = String(whole % unit)
      .padStart(digits, '0')
      .replace(/0+$/, '')
    return `${whole / unit}${fraction ? `.${fraction}` : ''}`
  }
  if (magnitude < 1000n) return `${sign}${magnitude}ns`
  if (magnitude < NS_PER_MS) return `${sign}${withFraction(magnitude, 1000n, 3)}µs`
  if (magnitude < NS_PER_SECOND) return `${sign}${withFraction(magnitude, NS_PER_MS, 6)}ms`
  const minutes = magnitude / (60n * NS_PER_SECOND)
  const seconds = `${withFraction(magnitude % (60n * NS_PER_SECOND), NS_PER_SECOND, 9)}s`
  if (minutes === 0n) return sign + seconds
  return minutes < 60n ? `${sign}${minutes}m${seconds}` : `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}`
}

const floorDiv = (a: bigint, b: bigint): bigint => (a >= 0n || a % b === 0n ? a / b : a / b - 1n)

function wallClock(ns: bigint, where: Zone) {
  const ms = Number(floorDiv(ns, NS_PER_MS))
  const { offsetMinutes, short } = where.at(ms)
  const date = new Date(ms + offsetMinutes * 60_000)
  const year = date.getUTCFullYear()
  const startOfYear = new Date(0)
  startOfYear.setUTCFullYear(year, 0, 1)
  startOfYear.setUTCHours(0, 0, 0, 0)
  return {
    year,
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    nanosecond: Number(ns - floorDiv(ns, NS_PER_SECOND) * NS_PER_SECOND),
    weekday: date.getUTCDay(),
    yearDay: Math.floor((date.getTime() - startOfYear.getTime()) / 86_400_000) + 1,
    offsetMinutes,
    short,
  }
}

/** The pieces of a layout, longest first where one begins another. */
const LAYOUT =
  /January|Jan|Monday|Mon|MST|2006|-07:00:00|-070000|-07:00|-0700|-07|Z07:00:00|Z070000|Z07:00|Z0700|Z07|__2|_2006|_2|002|01|02|03|04|05|06|15|PM|pm|[.,]0+(?!\d)|[.,]9+(?!\d)|1|2|3|4|5/g

export function formatTime({ ns, zone: where }: Instant, layout: string): string {
  const t = wallClock(ns, where)
  const hour12 = t.hour % 12 || 12
  const offset = (separator: string): string => {
    const minutes = Math.abs(t.offsetMinutes)
    return `${t.offsetMinutes < 0 ? '-' : '+'}${two(Math.trunc(minutes / 60))}${separator}${two(minutes % 60)}`
  }
  const pieces: Readonly<Record<string, () => string>> = {
    January: () => MONTHS[t.month - 1]!,
    Jan: () => MONTHS[t.month - 1]!.slice(0, 3),
    Monday: () => DAYS[t.weekday]!,
    Mon: () => DAYS[t.weekday]!.slice(0, 3),
    MST: () => t.short,
    '2006': () => String(t.year).padStart(4, '0'),
    _2006: () => `_${String(t.year).padStart(4, '0')}`,
    '06': () => two(t.year % 100),
    '01': () => two(t.month),
    '1': () => String(t.month),
    '02': () => two(t.day),
    _2: () => String(t.day).padStart(2, ' '),
    '2': () => String(t.day),
    '002': () => String(t.yearDay).padStart(3, '0'),
    __2: () => String(t.yearDay).padStart(3, ' '),
    '15': () => two(t.hour),
    '03': () => two(hour12),
    '3': () => String(hour12),
    '04': () => two(t.minute),
    '4': () => String(t.minute),
    '05': () => two(t.second),
    '5': () => String(t.second),
    PM: () => (t.hour >= 12 ? 'PM' : 'AM'),
    pm: () => (t.hour >= 12 ? 'pm' : 'am'),
    '-0700': () => offset(''),
    '-07:00': () => offset(':'),
    '-07': () => offset('').slice(0, 3),
    '-070000': () => `${offset('')}00`,
    '-07:00:00': () => `${offset(':')}:00`,
    Z0700: () => (t.offsetMinutes === 0 ? 'Z' : offset('')),
    'Z07:00': () => (t.offsetMinutes === 0 ? 'Z' : offset(':')),
    Z07: () => (t.offsetMinutes === 0 ? 'Z' : offset('').slice(0, 3)),
    Z070000: () => (t.offsetMinutes === 0 ? 'Z' : `${offset('')}00`),
    'Z07:00:00': () => (t.offsetMinutes === 0 ? 'Z' : `${offset(':')}:00`),
  }
  return layout.replace(LAYOUT, (piece, at: number) => {
    if (piece === 'Jan' || piece === 'Mon') {
      // `Jan` within a word such as `Jane` is text.
      if (/[a-z]/.test(layout[at + piece.length] ?? '')) return piece
    }
    const known = pieces[piece]
    if (known) return known()
    const digits = String(t.nanosecond)
      .padStart(9, '0')
      .slice(0, piece.length - 1)
    if (piece[1] === '0') return piece[0] + digits
    const trimmed = digits.replace(/0+$/, '')
    return trimmed === '' ? '' : piece[0] + trimmed
  })
}
