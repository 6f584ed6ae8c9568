/** What the configuration says to the ingest thread. */
import type { PrometheusConfig } from '../../protocol/config/mod.ts'
import type { IngestOptions } from '../ingest/mod.ts'
import { START_ZEROS } from '../query/mod.ts'
import type { HubSettings } from './settings.ts'

export function ingestOptions(
  settings: HubSettings,
  { hub, storage }: Pick<PrometheusConfig, 'hub' | 'storage'>,
): IngestOptions {
  const { maxSeries, maxSeriesPerJob, maxLabelsPerSeries, maxLabelNameLength, maxLabelValueLength } = hub
  const ofHead = { maxSeries, maxSeriesPerJob, maxLabelsPerSeries, maxLabelNameLength, maxLabelValueLength }
  return {
    directory: settings.dataPath,
    hub: hub.id,
    logLevel: settings.logLevel,
    logFormat: settings.logFormat,
    segmentBytes: settings.walSegmentBytes,
    limits: {
      ...(hub.maxSeriesPerAgent > 0 && { maxSeriesPerAgent: hub.maxSeriesPerAgent }),
      outOfOrderWindowMs: storage.outOfOrderTimeWindowMs,
    },
    // As far as upstream's head takes samples that are older than its newest: half of a block.
    ...(settings.features.includes(START_ZEROS) && { startZeroReachMs: settings.blockMs / 2 }),
    // 0: the head's own default.
    head: {
      ...Object.fromEntries(Object.entries(ofHead).filter(([, limit]) => limit > 0)),
      maxBytes: settings.headMaxBytes,
    },
  }
}
