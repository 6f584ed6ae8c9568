/** How many samples a target may show, and how many a page has at most before any of its lines costs an object. */
import type { ExpositionParserName } from '../../protocol/exposition/mod.ts'
import { DEFAULT_SAMPLE_LIMIT, type ScrapeTargetConfig } from './target.ts'

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
