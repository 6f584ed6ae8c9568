/**
 * Dates of HTTP: RFC 1123 and its two forerunners. Semantics: Go net/http ParseTime, time.Parse: names of days are read and
 * not compared with the date; years of two digits are of 1969 to 2068.
 */
const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)'
const LONG_DAY = '(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)'
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const MONTH = `(?<month>${MONTHS.join('|')})`
const TIME = '(?<hour>\\d{1,2}):(?<minute>\\d{2}):(?<second>\\d{2})(?:[.,]\\d+)?'
const FORMS = [
  new RegExp(`^${DAY}, (?<day>\\d{2}) ${MONTH} (?<year>\\d{4}) ${TIME} GMT$`, 'i'),
  new RegExp(`^${LONG_DAY}, (?<day>\\d{2})-${MONTH}-(?<year>\\d{2}) ${TIME} [A-Z]{3,4}$`, 'i'),
  new RegExp(`^${DAY} ${MONTH} {1,2}(?<day>\\d{1,2}) ${TIME} (?<year>\\d{4})$`, 'i'),
]

/** @returns seconds; null for what is no date @example httpDate('Thu, 01 Jan 1970 00:16:40 GMT') // 1000 */
export function httpDate(text: string): number | null {
  const parts = FORMS.map((form) => form.exec(text)?.groups).find((groups) => groups !== undefined)
  // Names are read whatever their case; the zone is not.
  if (parts === undefined || (/ gmt$/i.test(text) && !text.endsWith('GMT'))) return null
  const [day, hour, minute, second] = ['day', 'hour', 'minute', 'second'].map((name) => Number(parts[name]))
  const month = MONTHS.indexOf(parts['month']!.toLowerCase())
  const written = Number(parts['year'])
  const year = parts['year']!.length === 4 ? written : written + (written >= 69 ? 1900 : 2000)
  if (hour! > 23 || minute! > 59 || second! > 59) return null
  // Set part by part: the constructor takes years below 100 for others.
  const date = new Date(0)
  date.setUTCFullYear(year, month, day)
  if (date.getUTCMonth() !== month || date.getUTCDate() !== day) return null
  date.setUTCHours(hour!, minute!, second!)
  return date.getTime() / 1000
}
