/** Named times at which routes are muted or active. Semantics: Alertmanager timeinterval/timeinterval.go (v0.34). */
import { type Cursor, type Decoder, list, object, string } from '../../protocol/config/mod.ts'
import { type Zone, zone } from '../template/mod.ts'

/** Both ends included, but for `times` whose end is not. An empty list is no condition. */
type Range = readonly [from: number, to: number]

export type TimeInterval = {
  /** Minutes since midnight. */
  readonly times: readonly Range[]
  /** 0 = Sunday. */
  readonly weekdays: readonly Range[]
  /** Negative: counted from the end of the month, -1 the last. */
  readonly daysOfMonth: readonly Range[]
  readonly months: readonly Range[]
  readonly years: readonly Range[]
  readonly location: Zone
  /** As written; '' for UTC. */
  readonly locationName: string
}

const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']
const MONTHS = [
  'january',
  'february',
  'march',
  'april',
  'may',
  'june',
  'july',
  'august',
  'september',
  'october',
  'november',
  'december',
]

export function containsTime(interval: TimeInterval, timeMs: number): boolean {
  const { offsetMinutes } = interval.location.at(timeMs)
  const date = new Date(timeMs + offsetMinutes * 60_000)
  const within = (ranges: readonly Range[], value: number): boolean =>
    ranges.length === 0 || ranges.some(([from, to]) => value >= from && value <= to)
  const minute = date.getUTCHours() * 60 + date.getUTCMinutes()
  if (interval.times.length > 0 && !interval.times.some(([from, to]) => minute >= from && minute < to)) return false
  if (!within(interval.weekdays, date.getUTCDay())) return false
  if (!within(interval.months, date.getUTCMonth() + 1)) return false
  if (!within(interval.years, date.getUTCFullYear())) return false
  return interval.daysOfMonth.length === 0 || interval.daysOfMonth.some((range) => containsDay(range, date))
}

function containsDay([from, to]: Range, date: Date): boolean {
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
  const resolve = (day: number): number => (day < 0 ? last + 1 + day : day)
  const [begin, end] = [resolve(from), resolve(to)]
  // A range that lies behind the end of this month has no day in it.
  if (begin > last) return false
  const clamp = (day: number): number => Math.min(last, Math.max(1, day))
  return date.getUTCDate() >= clamp(begin) && date.getUTCDate() <= clamp(end)
}

const clock = (at: Cursor): number => {
  const text = string(at)
  const match = /^((?:[01][0-9])|(?:2[0-3])):([0-5][0-9])$|^24:00$/.exec(text)
  if (!match) return at.fail(`couldn't parse timestamp ${text}, invalid format`)
  return match[1] === undefined ? 1440 : Number(match[1]) * 60 + Number(match[2])
}

export const timeRange: Decoder<Range> = object(
  'timeinterval.yamlTimeRange',
  { start_time: clock, end_time: clock },
  (raw, at) => {
    if (raw.start_time === undefined || raw.end_time === undefined)
      return at.fail('both start and end times must be provided')
    if (raw.start_time >= raw.end_time) return at.fail('start time cannot be equal or greater than end time')
    return [raw.start_time, raw.end_time]
  },
)

function range(read: (text: string, at: Cursor) => number, check: (range: Range, at: Cursor) => void): Decoder<Range> {
  return (at) => {
    const text = string(at).toLowerCase()
    const parts = text.split(':')
    if (parts.length > 2) at.fail(`couldn't parse range ${text}, invalid format`)
    const [from = '', to = from] = parts
    const out: Range = [read(from, at), read(to, at)]
    check(out, at)
    return out
  }
}

/** As Go's strconv.Atoi. */
function integerOf(text: string, at: Cursor): number {
  return /^[+-]?\d+$/.test(text)
    ? Number(text)
    : at.fail(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`)
}

const weekday = range(
  (text, at) => {
    const day = WEEKDAYS.indexOf(text)
    return day < 0 ? at.fail(`${text} is not a valid weekday`) : day
  },
  ([from, to], at) => {
    if (from > to) at.fail('start day cannot be before end day')
  },
)

const dayOfMonth = range(integerOf, ([from, to], at) => {
  for (const day of [from, to])
    if (day === 0 || day < -31 || day > 31) at.fail(`${day} is not a valid day of the month: out of range`)
  if (from < 0 && to > 0) at.fail('end day must be negative if start day is negative')
  // As in the shortest month, where upstream refuses what longer ones would have.
  const [begin, end] = [from, to].map((day) => (day < 0 ? 28 + day : day)) as [number, number]
  if (begin > end) at.fail(`end day ${to} is always before start day ${from}`)
})

const month = range(
  (text, at) => {
    const named = MONTHS.indexOf(text) + 1
    if (named > 0) return named
    // Upstream takes numbers that no month has, which no time is in.
    return /^[+-]?\d+$/.test(text) ? Number(text) : at.fail(`${text} is not a valid month`)
  },
  ([from, to], at) => {
    const name = (month: number): string => MONTHS[month - 1] ?? ''
    if (from > to) at.fail(`end month ${name(to)} is before start month ${name(from)}`)
  },
)

const year = range(integerOf, ([from, to], at) => {
  if (from > to) at.fail(`end year ${to} is before start year ${from}`)
})

const location: Decoder<{ readonly zone: Zone; readonly name: string }> = (at) => {
  const name = string(at)
  // `Local` is the zone of the machine.
  const found = zone(name === 'Local' ? new Intl.DateTimeFormat().resolvedOptions().timeZone : name)
  return found ? { zone: found, name } : at.fail(`unknown time zone ${name}`)
}

export const timeInterval: Decoder<TimeInterval> = object(
  'timeinterval.TimeInterval',
  {
    times: list(timeRange),
    weekdays: list(weekday),
    days_of_month: list(dayOfMonth),
    months: list(month),
    years: list(year),
    location,
  },
  (raw): TimeInterval => ({
    times: raw.times ?? [],
    weekdays: raw.weekdays ?? [],
    daysOfMonth: raw.days_of_month ?? [],
    months: raw.months ?? [],
    years: raw.years ?? [],
    location: raw.location?.zone ?? zone('')!,
    locationName: raw.location?.name ?? '',
  }),
)
