/** Parameters of the HTTP API, from the URL and from form bodies alike. Semantics: Prometheus web/api/v1/api.go. */
import { parseDuration } from '../../protocol/durations/mod.ts'
import { readGoFloat } from '../../protocol/exposition/mod.ts'
import { ApiError } from '../query/mod.ts'

/** Values of one name in order, those of the body before those of the URL, as Go's r.Form. */
export class Params {
  readonly #sources: readonly URLSearchParams[]
  readonly #problem: string
  /** @param problem why pairs of the URL or the form were passed over; '' = none were */
  constructor(sources: readonly URLSearchParams[], problem = '') {
    this.#sources = sources
    this.#problem = problem
  }

  /** Of the endpoints that care whether everything could be read. @throws ApiError */
  get whole(): this {
    if (this.#problem !== '') throw new ApiError('bad_data', `error parsing form values: ${this.#problem}`)
    return this
  }

  get(name: string): string {
    for (const source of this.#sources) {
      const value = source.get(name)
      if (value !== null) return value
    }
    return ''
  }

  all(name: string): string[] {
    return this.#sources.flatMap((source) => source.getAll(name))
  }

  /** ms; `fallback` when absent or empty. As upstream's parseTimeParam, whose errors name the parameter twice. */
  time(name: string, fallback: number): number {
    const text = this.get(name)
    if (text === '') return fallback
    return (
      parseTime(text) ??
      invalid(name, `invalid time value for '${name}': cannot parse ${JSON.stringify(text)} to a valid timestamp`)
    )
  }

  /** ms */
  neededTime(name: string): number {
    const text = this.get(name)
    return parseTime(text) ?? invalid(name, `cannot parse ${JSON.stringify(text)} to a valid timestamp`)
  }

  /** ms, with a fraction where it was given one */
  duration(name: string, fallback: number): number {
    const text = this.get(name)
    return text === '' ? fallback : (parseSpan(text) ?? invalid(name, spanProblem(text)))
  }

  /** Of the older endpoints, which have their own words; null when absent. */
  count(name: string, { least, problem }: { readonly least: number; readonly problem: string }): number | null {
    const text = this.get(name)
    if (text === '') return null
    if (!/^[+-]?\d+$/.test(text) || Number(text) < least || Math.abs(Number(text)) >= 2 ** 63)
      throw new ApiError('bad_data', problem)
    return Number(text)
  }

  /** false when absent */
  flag(name: string): boolean {
    const text = this.get(name).toLowerCase()
    return text === '' ? false : (parseBool(text) ?? invalid(name, `error converting ${name}: ${boolProblem(text)}`))
  }

  limit(name = 'limit'): number {
    const text = this.get(name)
    if (text === '') return 0
    if (!/^[+-]?\d+$/.test(text)) return invalid(name, `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`)
    const value = Number(text)
    if (Math.abs(value) >= 2 ** 63)
      return invalid(name, `strconv.Atoi: parsing ${JSON.stringify(text)}: value out of range`)
    return value < 0 ? invalid(name, 'limit must be non-negative') : value
  }
}

export function invalid(name: string, problem: string): never {
  throw new ApiError('bad_data', `invalid parameter ${JSON.stringify(name)}: ${problem}`)
}

/** What Go's strconv.ParseBool takes; null for all else. */
export function parseBool(text: string): boolean | null {
  if (/^(?:0|f|F|false|FALSE|False)$/.test(text)) return false
  return /^(?:1|t|T|true|TRUE|True)$/.test(text) ? true : null
}

/** Why `text` is no boolean. */
export function boolProblem(text: string): string {
  return `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`
}

/** What Prometheus calls minTime and maxTime; clients send them back. */
const EARLIEST = '-292273086-05-16T16:47:06Z'
const LATEST = '292277025-08-18T07:12:54.999999999Z'

/** ms: beyond, times are no longer exact, and nothing is stored there. Upstream's wrap around. */
const FARTHEST = 9e15
/** ms: upstream's durations are nanoseconds in an int64. */
const LONGEST = 2 ** 63 / 1e6
/** ms: what becomes of NaN and of both infinities in upstream's int64 of seconds and of nanoseconds, on x86. */
const NOWHERE = -9_223_372_036_854
/** The hour 24, which Date.parse() takes, is none. */
const RFC3339 = /^(\d{4}-\d\d-(\d\d))T(?:[01]\d|2[0-3]):\d\d:\d\d(?:[.,]\d+)?(?:Z|([+-])(\d\d):(\d\d))$/

/** Unix seconds with a fraction, or RFC 3339; null for neither. */
export function parseTime(text: string): number | null {
  const seconds = readGoFloat(text)
  if (typeof seconds === 'number') {
    if (!Number.isFinite(seconds)) return NOWHERE
    return Math.max(-FARTHEST, Math.min(FARTHEST, Math.round(seconds * 1000)))
  }
  if (text === EARLIEST) return -FARTHEST
  if (text === LATEST) return FARTHEST
  const date = RFC3339.exec(text)
  // Date.parse() takes the 30th of February for the 1st of March.
  if (date === null || new Date(date[1]!).getUTCDate() !== Number(date[2])) return null
  const [whole, , , sign, hours, minutes] = date
  // Go's zones go up to +24:60, Date.parse()'s to +23:59.
  if (Number(hours ?? 0) > 24 || Number(minutes ?? 0) > 60) return null
  const local = Date.parse(`${(sign ? whole.slice(0, -6) : whole.slice(0, -1)).replace(',', '.')}Z`)
  const offsetMs = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000
  return Number.isNaN(local) ? null : local - (sign === '-' ? -offsetMs : offsetMs)
}

/** Seconds, or a duration; ms, with a fraction down to nanoseconds as upstream has it, which takes NaN for the least. */
export function parseSpan(text: string): number | null {
  const seconds = readGoFloat(text)
  if (typeof seconds === 'number') {
    if (Number.isNaN(seconds)) return -LONGEST
    const ms = Math.trunc(seconds * 1e9) / 1e6
    return Math.abs(ms) < LONGEST ? ms : null
  }
  try {
    return parseDuration(text)
  } catch {
    return null
  }
}

/** Why `text` is no span. */
export function spanProblem(text: string): string {
  const problem = `cannot parse ${JSON.stringify(text)} to a valid duration`
  return typeof readGoFloat(text) === 'number' ? `${problem}. It overflows int64` : problem
}
