/**
 * Calendar functions of a Unix time in seconds, in UTC. Semantics: Prometheus promql/functions.go, dateWrapper.
 */
const SECONDS_PER_DAY = 86400

/** Days from 1970-01-01 as a date in the proleptic Gregorian calendar (Hinnant's civil_from_days). */
function civil(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719468
  const era = Math.floor(shifted / 146097)
  const dayOfEra = shifted - era * 146097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36524) - Math.floor(dayOfEra / 146096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1,
  }
}

const isLeap = (year: number) => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

function daysIn(month: number, year: number): number {
  return month === 2 && isLeap(year) ? 29 : MONTH_DAYS[month - 1]!
}

/**
 * Whole seconds. What no 64-bit integer holds (NaN, too) becomes 2^63: the cast gives the least integer, and Go's
 * calendar wraps that around.
 */
const whole = (seconds: number) => (Math.abs(seconds) < 2 ** 63 ? Math.trunc(seconds) : 2 ** 63)

function secondOfDay(seconds: number): number {
  const rest = whole(seconds) % SECONDS_PER_DAY
  // Adding 0 turns -0 into 0.
  return rest < 0 ? rest + SECONDS_PER_DAY : rest + 0
}

const day = (seconds: number) => Math.round((whole(seconds) - secondOfDay(seconds)) / SECONDS_PER_DAY)

export const DATE_FUNCTIONS: Readonly<Record<string, (seconds: number) => number>> = {
  days_in_month: (s) => {
    const { month, year } = civil(day(s))
    return daysIn(month, year)
  },
  day_of_month: (s) => civil(day(s)).day,
  day_of_week: (s) => (((day(s) + 4) % 7) + 7) % 7,
  day_of_year: (s) => {
    const date = civil(day(s))
    let total = date.day
    for (let month = 1; month < date.month; month++) total += daysIn(month, date.year)
    return total
  },
  hour: (s) => Math.floor(secondOfDay(s) / 3600),
  minute: (s) => Math.floor((secondOfDay(s) % 3600) / 60),
  month: (s) => civil(day(s)).month,
  year: (s) => civil(day(s)).year,
}
