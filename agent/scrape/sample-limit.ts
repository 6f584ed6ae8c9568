/** How many samples a target may show, and how many a page has at most before any of its lines costs an object. */
import type { ExpositionParserName } from '../../protocol/exposition/mod.ts'
import { DEFAULT_SAMPLE_LIMIT, type ScrapeTargetConfig } from './target.ts'

/** `a 1` and a newline: a page with fewer bytes per sample that is allowed cannot exceed the limit. */
const MIN_LINE_BYTES = 4
const LF = 0x0a
const CR = 0x0d
const TAB = 0x09
const SPACE = 0x20
const QUOTE = 0x22
const HASH = 0x23
const BACKSLASH = 0x5c
const OPEN = 0x7b
const CLOSE = 0x7d

type Limited = Pick<ScrapeTargetConfig, 'limits'>

export const sampleLimit = ({ limits }: Limited): number =>
  limits.samples === 0 ? DEFAULT_SAMPLE_LIMIT : limits.samples

/** As Prometheus's where the limit was set; ours says how to. */
export const sampleLimitError = ({ limits }: Limited): string =>
  limits.samples > 0
    ? 'sample limit exceeded'
    : `sample limit exceeded: more than ${DEFAULT_SAMPLE_LIMIT} samples; set sample_limit to take more`

/** Whether a page has as many samples as it has lines of them: no rule drops or joins any. A soft limit refuses no page. */
export function countsByLines(
  config: Pick<ScrapeTargetConfig, 'limits' | 'metricRelabel' | 'convertClassicToNhcb' | 'startTimestamps'>,
  format: ExpositionParserName,
): boolean {
  const { limits, metricRelabel, convertClassicToNhcb, startTimestamps } = config
  return format !== 'protobuf' && !convertClassicToNhcb && !startTimestamps && !limits.isSoft && metricRelabel === null
}

/** Lines of samples on a page that is over its limit, whatever its lines say; 0 when they have to be read. */
export function linesOverLimit(page: Uint8Array, format: ExpositionParserName, config: ScrapeTargetConfig): number {
  const limit = sampleLimit(config)
  if (page.length <= MIN_LINE_BYTES * limit || !countsByLines(config, format)) return 0
  const lines = sampleLineCount(page)
  return lines > limit && hasMoreSeries(page, limit) ? lines : 0
}

/**
 * Lines that are neither empty nor comments; a newline inside quotes, which the text format allows, ends none. A walk over
 * bytes: a call for each line would hold up everything else for a tenth of a second when a target shows a million.
 */
export function sampleLineCount(page: Uint8Array): number {
  let lines = 0
  let isStart = true
  let isSample = false
  let isQuoted = false
  for (let at = 0; at < page.length; at++) {
    const byte = page[at]!
    if (isQuoted) {
      if (byte === 0x5c) at++
      else if (byte === 0x22) isQuoted = false
    } else if (byte === 0x0a) {
      isStart = true
      isSample = false
    } else if (isStart) {
      if (byte === 0x20 || byte === 0x09) continue
      isStart = false
      isSample = byte !== 0x23 && byte !== 0x0d
      if (isSample) lines++
    } else if (byte === 0x22 && isSample) isQuoted = true
  }
  return lines
}

/**
 * Whether more than `max` series stand on the page, as their bytes have it: a line that repeats one adds none. By hash,
 * so that it may say no where a few are above, never yes where none is. Without objects, since the page may be a flood.
 */
export function hasMoreSeries(page: Uint8Array, max: number): boolean {
  let slots = 256
  while (slots < 2 * (max + 1)) slots *= 2
  const seen = new Int32Array(slots)
  let series = 0
  let at = 0
  while (at < page.length) {
    const byte = page[at]!
    if (byte === SPACE || byte === TAB || byte === LF) {
      at++
      continue
    }
    if (byte === HASH || byte === CR) {
      at = nextLine(page, at)
      continue
    }
    let hash = 0x811c9dc5
    let isQuoted = false
    let isBraced = false
    for (; at < page.length; at++) {
      const c = page[at]!
      if (!isQuoted) {
        if (c === LF) break
        if (!isBraced && (c === SPACE || c === TAB)) {
          if (page[at + 1] === SPACE || page[at + 1] === TAB || page[at + 1] === OPEN) continue
          break
        }
        if (c === OPEN) isBraced = true
        else if (c === QUOTE) isQuoted = true
        else if (c === CLOSE) break
      } else if (c === QUOTE) isQuoted = false
      else if (c === BACKSLASH) hash = Math.imul(hash ^ page[at++]!, 0x01000193)
      hash = Math.imul(hash ^ page[at]!, 0x01000193)
    }
    // 0 marks a free place.
    hash ^= hash >>> 15
    if (hash === 0) hash = 1
    let place = hash & (slots - 1)
    while (seen[place] !== 0 && seen[place] !== hash) place = (place + 1) & (slots - 1)
    if (seen[place] === 0) {
      seen[place] = hash
      if (++series > max) return true
    }
    at = nextLine(page, at)
  }
  return false
}

/** Where the next line begins; the rest of this one is outside of quotes. */
function nextLine(page: Uint8Array, at: number): number {
  const end = page.indexOf(LF, at)
  return end < 0 ? page.length : end + 1
}
