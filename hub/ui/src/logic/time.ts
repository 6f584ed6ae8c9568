/** Instants as text, 24 h and ISO order, in UTC or in the browser's own zone. */

export type Zone = 'utc' | 'local'

const pad = (value: number, width = 2): string => String(value).padStart(width, '0')

type Parts = {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly ms: number
}

function partsOf(timeMs: number, zone: Zone): Parts {
  const date = new Date(timeMs)
  return zone === 'utc'
    ? {
        year: date.getUTCFullYear(),
        month: date.getUTCMonth() + 1,
        day: date.getUTCDate(),
        hour: date.getUTCHours(),
        minute: date.getUTCMinutes(),
        second: date.getUTCSeconds(),
        ms: date.getUTCMilliseconds(),
      }
    : {
        year: date.getFullYear(),
        month: date.getMonth() + 1,
        day: date.getDate(),
        hour: date.getHours(),
        minute: date.getMinutes(),
        second: date.getSeconds(),
        ms: date.getMilliseconds(),
      }
}

/** `2026-11-22 14:03:05`, with milliseconds only where there are any. */
export function formatTime(timeMs: number, zone: Zone): string {
  if (!Number.isFinite(timeMs) || Math.abs(timeMs) > 8.64e15) return String(timeMs)
  const { year, month, day, hour, minute, second, ms } = partsOf(timeMs, zone)
  const fraction = ms === 0 ? '' : `.${pad(ms, 3)}`
  return `${pad(year, 4)}-${pad(month)}-${pad(day)} ${pad(hour)}:${pad(minute)}:${pad(second)}${fraction}`
}

/** `+00:00`, `-03:30`: the zone's offset at that instant. */
export function formatOffset(timeMs: number, zone: Zone): string {
  const minutes = zone === 'utc' ? 0 : -new Date(timeMs).getTimezoneOffset()
  const size = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${pad(Math.floor(size / 60))}:${pad(size % 60)}`
}

const TEXT = /^(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?)?(Z|[+-]\d{2}:\d{2})?$/

/** Reads what formatTime() writes, shorter forms, RFC 3339, and Unix seconds. Null for anything else. */
export function parseTime(text: string, zone: Zone): number | null {
  const trimmed = text.trim()
  if (/^\d{9,11}(\.\d{1,3})?$/.test(trimmed)) return Math.round(Number(trimmed) * 1000)
  const found = TEXT.exec(trimmed)
  if (!found) return null
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map((part) => Number(part ?? 0)) as number[]
  const ms = Number((found[7] ?? '0').padEnd(3, '0'))
  const asUtc = Date.UTC(year!, month! - 1, day!, hour!, minute!, second!, ms)
  if (new Date(asUtc).getUTCDate() !== day! || hour! > 23 || minute! > 59 || second! > 59) return null
  if (found[8]) return found[8] === 'Z' ? asUtc : asUtc - offsetMs(found[8])
  return zone === 'utc' ? asUtc : new Date(year!, month! - 1, day!, hour!, minute!, second!, ms).getTime()
}

function offsetMs(text: string): number {
  const ms = (Number(text.slice(1, 3)) * 60 + Number(text.slice(4, 6))) * 60_000
  return text[0] === '-' ? -ms : ms
}

/**
 * Labels of a time axis: as much of the clock as the increment needs, the date in a second line where the day changes.
 * @param splits seconds, ascending
 */
export function axisLabels(splits: readonly number[], incrSeconds: number, zone: Zone): string[] {
  let lastDay = ''
  return splits.map((seconds) => {
    const { year, month, day, hour, minute, second, ms } = partsOf(Math.round(seconds * 1000), zone)
    const date = `${pad(year, 4)}-${pad(month)}-${pad(day)}`
    if (incrSeconds >= 86_400) return incrSeconds >= 86_400 * 28 ? date.slice(0, 7) : date.slice(5)
    let clock = `${pad(hour)}:${pad(minute)}`
    if (incrSeconds < 60) clock += `:${pad(second)}`
    if (incrSeconds < 1) clock += `.${pad(ms, 3)}`
    const line = date === lastDay ? clock : `${clock}\n${date}`
    lastDay = date
    return line
  })
}
