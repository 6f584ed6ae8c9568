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
 * Lines that are neither empty nor comments. A walk over bytes: a call for each line would hold up everything else for a
 * tenth of a second when a target shows a million.
 */
export function sampleLineCount(page: Uint8Array): number {
  let lines = 0
  let isStart = true
  for (let at = 0; at < page.length; at++) {
    const byte = page[at]!
    if (byte === 0x0a) isStart = true
    else if (isStart && byte !== 0x20 && byte !== 0x09) {
      isStart = false
      if (byte !== 0x23 && byte !== 0x0d) lines++
    }
  }
  return lines
}
