/**
 * The system's time zone from its own file: offset and abbreviation at a time. The runtimes' rules for every zone of the
 * world weigh 6 MB in memory, and know most zones by their offset only. Semantics: RFC 8536 (TZif), POSIX TZ strings; Go
 * time/zoneinfo_read.go and zoneinfo.go, tzset, which upstream's answer comes from.
 *
 *     │ header v1 │ 32-bit data │ header v2 │ times (8 bytes each) │ types of them │ offsets │ names │ … │ \nRULE\n │
 */
export type ZoneAt = { readonly offsetSeconds: number; readonly name: string }

const UTC: ZoneAt = { offsetSeconds: 0, name: 'UTC' }
const HEADER_BYTES = 44
const DAY_SECONDS = 86_400

type Counts = { readonly times: number; readonly types: number; readonly names: number; readonly dataBytes: number }

/** UTC where the file is none. */
export function zoneAt(file: Uint8Array, epochSeconds: number): ZoneAt {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  try {
    const first = countsAt(view, 0, 4)
    if (first === null) return UTC
    if (file[4]! < 0x32) return fromData(view, HEADER_BYTES, first, 4, '', epochSeconds)
    const second = HEADER_BYTES + first.dataBytes
    const counts = countsAt(view, second, 8)
    if (counts === null) return UTC
    const footer = new TextDecoder().decode(file.subarray(second + HEADER_BYTES + counts.dataBytes))
    const [, rule = ''] = footer.split('\n')
    return fromData(view, second + HEADER_BYTES, counts, 8, rule, epochSeconds)
  } catch (error) {
    if (error instanceof RangeError) return UTC
    throw error
  }
}

function countsAt(view: DataView, at: number, timeBytes: number): Counts | null {
  // "TZif"
  if (view.getUint32(at) !== 0x545a6966) return null
  const [isUtc, isStd, leaps, times, types, names] = [20, 24, 28, 32, 36, 40].map((offset) =>
    view.getUint32(at + offset),
  )
  const dataBytes = times! * (timeBytes + 1) + types! * 6 + names! + leaps! * (timeBytes + 4) + isStd! + isUtc!
  return { times: times!, types: types!, names: names!, dataBytes }
}

function fromData(
  view: DataView,
  at: number,
  { times, types }: Counts,
  timeBytes: number,
  rule: string,
  epochSeconds: number,
): ZoneAt {
  const time = (i: number): number =>
    timeBytes === 8 ? Number(view.getBigInt64(at + 8 * i)) : view.getInt32(at + 4 * i)
  const typesAt = at + times * (timeBytes + 1)
  const type = (i: number): ZoneAt & { readonly isDst: boolean } => {
    const place = typesAt + 6 * i
    return {
      offsetSeconds: view.getInt32(place),
      isDst: view.getUint8(place + 4) === 1,
      name: textAt(view, typesAt + 6 * types + view.getUint8(place + 5)),
    }
  }
  let last = -1
  for (let i = 0; i < times && time(i) <= epochSeconds; i++) last = i
  if (rule !== '' && last === times - 1) {
    const ruled = fromRule(rule, epochSeconds)
    if (ruled !== null) return ruled
  }
  if (last >= 0) return shown(type(view.getUint8(at + times * timeBytes + last)))
  // Before all changes: the first that is no summer time.
  for (let i = 0; i < types; i++) if (!type(i).isDst) return shown(type(i))
  return types > 0 ? shown(type(0)) : UTC
}

const shown = ({ offsetSeconds, name }: ZoneAt): ZoneAt => ({ offsetSeconds, name })

function textAt(view: DataView, from: number): string {
  let out = ''
  for (let at = from; view.getUint8(at) !== 0; at++) out += String.fromCharCode(view.getUint8(at))
  return out
}

const NAME = '(?:<([^>]+)>|([A-Za-z]{3,}))'
const TIME = '([+-]?\\d+(?::\\d+){0,2})'
const DATE = '(M\\d+\\.\\d+\\.\\d+|J\\d+|\\d+)'
const DATE_AND_TIME = `,${DATE}(?:/${TIME})?`
const RULE = new RegExp(`^${NAME}${TIME}(?:${NAME}${TIME}?(?:${DATE_AND_TIME}${DATE_AND_TIME})?)?$`)

/** `CET-1CEST,M3.5.0,M10.5.0/3`: offsets are west of Greenwich there. null: no such rule. */
export function fromRule(rule: string, epochSeconds: number): ZoneAt | null {
  const match = RULE.exec(rule)
  if (match === null) return null
  const [, quoted, plain, west, dstQuoted, dstPlain, dstWest, ...changes] = match
  const standard = { offsetSeconds: 0 - seconds(west!), name: quoted ?? plain! }
  const dstName = dstQuoted ?? dstPlain
  if (dstName === undefined) return standard
  const summer = {
    offsetSeconds: dstWest === undefined ? standard.offsetSeconds + 3600 : 0 - seconds(dstWest),
    name: dstName,
  }
  const [start = 'M3.2.0', startTime = '2', end = 'M11.1.0', endTime = '2'] = changes
  const year = new Date((epochSeconds + standard.offsetSeconds) * 1000).getUTCFullYear()
  // Each in the time that holds before it.
  const begins = dayOf(start, year) * DAY_SECONDS + seconds(startTime) - standard.offsetSeconds
  const ends = dayOf(end, year) * DAY_SECONDS + seconds(endTime) - summer.offsetSeconds
  const isSummer =
    begins < ends ? epochSeconds >= begins && epochSeconds < ends : epochSeconds >= begins || epochSeconds < ends
  return isSummer ? summer : standard
}

/** `-1:30` and the like. */
function seconds(text: string): number {
  const [hours = 0, minutes = 0, rest = 0] = text.replace(/^[+-]/, '').split(':').map(Number)
  const size = hours * 3600 + minutes * 60 + rest
  return text.startsWith('-') ? 0 - size : size
}

/** Days since 1970. */
function dayOf(date: string, year: number): number {
  const day = (month: number, ofMonth: number): number => Date.UTC(year, month - 1, ofMonth) / (DAY_SECONDS * 1000)
  if (date.startsWith('M')) {
    const [month = 1, week = 1, weekday = 0] = date.slice(1).split('.').map(Number)
    const first = day(month, 1)
    // 1970 began on a Thursday.
    let found = first + ((weekday - ((first + 4) % 7) + 7) % 7) + 7 * (week - 1)
    // The fifth is the last.
    while (found >= day(month + 1, 1)) found -= 7
    return found
  }
  const number = Number(date.replace('J', ''))
  // Julian days know no 29th of February.
  if (!date.startsWith('J')) return day(1, 1) + number
  const isLeap = day(3, 1) - day(2, 1) === 29
  return day(1, 1) + number - 1 + (isLeap && number >= 60 ? 1 : 0)
}

/** Where the rules of TZ are; null for UTC. @param tz undefined: unset. Semantics: Go time/zoneinfo_unix.go, initLocal */
export function zoneFile(tz: string | undefined): string | null {
  if (tz === undefined) return '/etc/localtime'
  const name = tz.replace(/^:/, '')
  if (name === '' || name === 'UTC') return null
  return name.startsWith('/') ? name : `/usr/share/zoneinfo/${name}`
}
