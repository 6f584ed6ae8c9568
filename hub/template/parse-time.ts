/** Go's time.Parse for the layouts that templates use. Semantics: Go time/format.go. */
import { DAYS, MONTHS } from './time.ts'

/** The pieces of a layout that are read, longest first where one begins another. */
const PIECES =
  /January|Jan|Monday|Mon|MST|2006|-07:00|-0700|-07|Z07:00|Z0700|Z07|_2|02|01|06|15|03|04|05|PM|pm|[.,]0+(?!\d)|[.,]9+(?!\d)|1|2|3|4|5/g

type Fields = {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
  nanos: number
  offsetMinutes: number
  pm: boolean | null
}

/** @returns nanoseconds since 1970. @throws Error in Go's words */
export function parseTime(layout: string, text: string): bigint {
  const fields: Fields = {
    year: 0,
    month: 1,
    day: 1,
    hour: 0,
    minute: 0,
    second: 0,
    nanos: 0,
    offsetMinutes: 0,
    pm: null,
  }
  let at = 0
  const fail = (piece: string, why = ''): never => {
    const rest = JSON.stringify(text.slice(at))
    const problem = why === '' ? `cannot parse ${rest} as ${JSON.stringify(piece)}` : why
    throw new Error(
      `parsing time ${JSON.stringify(text)}${why === '' ? ` as ${JSON.stringify(layout)}` : ''}: ${problem}`,
    )
  }
  const literal = (wanted: string): void => {
    if (!text.startsWith(wanted, at)) fail(wanted)
    at += wanted.length
  }
  let from = 0
  for (const match of layout.matchAll(PIECES)) {
    literal(layout.slice(from, match.index))
    const piece = match[0]
    const found = read(piece, text.slice(at), fields)
    if (found === null) {
      // The seconds may have a fraction that the layout does not speak of.
      fail(piece)
    }
    at += found!
    from = match.index + piece.length
    if ((piece === '05' || piece === '5') && !/^[.,][09]/.test(layout.slice(from))) {
      const fraction = /^\.(\d+)/.exec(text.slice(at))
      if (fraction) {
        fields.nanos = Number(fraction[1]!.slice(0, 9).padEnd(9, '0'))
        at += fraction[0].length
      }
    }
  }
  literal(layout.slice(from))
  if (at < text.length) fail('', `extra text: ${JSON.stringify(text.slice(at))}`)
  const days = new Date(Date.UTC(fields.year, fields.month, 0)).getUTCDate()
  if (fields.day < 1 || fields.day > days) fail('', 'day out of range')
  let { hour } = fields
  if (fields.pm === true && hour < 12) hour += 12
  if (fields.pm === false && hour === 12) hour = 0
  const date = new Date(0)
  date.setUTCFullYear(fields.year, fields.month - 1, fields.day)
  date.setUTCHours(hour, fields.minute, fields.second)
  return BigInt(date.getTime() - fields.offsetMinutes * 60_000) * 1_000_000n + BigInt(fields.nanos)
}

const NUMBERS: Readonly<Record<string, readonly [pattern: RegExp, field: keyof Fields, min: number, max: number]>> = {
  '2006': [/^\d{4}/, 'year', 0, 9999],
  '01': [/^\d{2}/, 'month', 1, 12],
  '1': [/^\d{1,2}/, 'month', 1, 12],
  '02': [/^\d{2}/, 'day', 0, 31],
  _2: [/^ ?\d{1,2}/, 'day', 0, 31],
  '2': [/^\d{1,2}/, 'day', 0, 31],
  '15': [/^\d{2}/, 'hour', 0, 23],
  '03': [/^\d{2}/, 'hour', 0, 12],
  '3': [/^\d{1,2}/, 'hour', 0, 12],
  '04': [/^\d{2}/, 'minute', 0, 59],
  '4': [/^\d{1,2}/, 'minute', 0, 59],
  '05': [/^\d{2}/, 'second', 0, 59],
  '5': [/^\d{1,2}/, 'second', 0, 59],
}

/** Characters taken, or null. */
function read(piece: string, rest: string, fields: Fields): number | null {
  const number = NUMBERS[piece]
  if (number) {
    const [pattern, field, min, max] = number
    const match = pattern.exec(rest)
    const value = Number(match?.[0])
    if (!match || value < min || value > max) return null
    ;(fields as Record<string, unknown>)[field] = value
    return match[0].length
  }
  if (piece === '06') {
    const match = /^\d{2}/.exec(rest)
    if (!match) return null
    fields.year = Number(match[0]) + (Number(match[0]) >= 69 ? 1900 : 2000)
    return 2
  }
  const name = (names: readonly string[], length?: number): number =>
    names.findIndex((each) => rest.toLowerCase().startsWith(each.slice(0, length).toLowerCase()))
  if (piece === 'January' || piece === 'Jan') {
    const month = name(MONTHS, piece === 'Jan' ? 3 : undefined)
    if (month < 0) return null
    fields.month = month + 1
    return piece === 'Jan' ? 3 : MONTHS[month]!.length
  }
  if (piece === 'Monday' || piece === 'Mon') {
    const day = name(DAYS, piece === 'Mon' ? 3 : undefined)
    return day < 0 ? null : piece === 'Mon' ? 3 : DAYS[day]!.length
  }
  if (piece === 'PM' || piece === 'pm') {
    const match = /^[AP]M/i.exec(rest)
    if (!match) return null
    fields.pm = match[0].toUpperCase() === 'PM'
    return 2
  }
  if (piece === 'MST') return /^[A-Z]{3,4}/.exec(rest)?.[0].length ?? null
  if (/^[.,]/.test(piece)) {
    const match = /^[.,](\d+)/.exec(rest)
    if (!match) return piece[1] === '9' ? 0 : null
    fields.nanos = Number(match[1]!.slice(0, 9).padEnd(9, '0'))
    return match[0].length
  }
  if (piece.startsWith('Z') && rest.startsWith('Z')) return 1
  const zone = /^([+-])(\d{2})(?::?(\d{2}))?/.exec(rest)
  if (!zone) return null
  fields.offsetMinutes = (zone[1] === '-' ? -1 : 1) * (Number(zone[2]) * 60 + Number(zone[3] ?? 0))
  return zone[0].length
}
