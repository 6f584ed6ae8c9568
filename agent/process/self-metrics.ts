/** What the agent says of itself on `/metrics` and in its own stream: ring, uplink, scrapes. */
import type { RingStats } from '../../protocol/env/mod.ts'
import { counter, gauge, type MetricFamily } from '../../protocol/exposition/mod.ts'
import type { RecorderStats } from '../ring/mod.ts'
import type { UplinkStats } from '../uplink/mod.ts'

const one = (value: number) => [{ labels: [], value }]

/** The start counts as one that went well. */
export type LastReload = { readonly isOk: boolean; readonly okMs: number }

export function reloadFamilies({ isOk, okMs }: LastReload): MetricFamily[] {
  return [
    gauge(
      'heliograph_agent_config_last_reload_successful',
      'Whether the last configuration reload attempt was successful.',
      one(isOk ? 1 : 0),
    ),
    gauge(
      'heliograph_agent_config_last_reload_success_timestamp_seconds',
      'Timestamp of the last successful configuration reload.',
      one(okMs / 1000),
    ),
  ]
}

export function ringFamilies(ring: RingStats, recorder: RecorderStats, nowMs: number): MetricFamily[] {
  const age = ring.oldestUnackedMs === null ? 0 : Math.max(0, nowMs - ring.oldestUnackedMs) / 1000
  return [
    gauge('heliograph_agent_ring_batches', 'Batches in the ring.', one(ring.batches)),
    gauge('heliograph_agent_ring_bytes', 'Bytes of the batches in the ring.', one(ring.sizeBytes)),
    gauge('heliograph_agent_ring_file_bytes', "Size of the ring's files together.", one(ring.fileBytes)),
    gauge('heliograph_agent_ring_cap_bytes', "Configured cap of the ring's files.", one(ring.capBytes)),
    gauge(
      'heliograph_agent_ring_unacknowledged_batches',
      'Batches that no hub has acknowledged yet.',
      one(ring.pendingBatches),
    ),
    gauge(
      'heliograph_agent_ring_unacknowledged_bytes',
      'Bytes of the batches that no hub has acknowledged yet.',
      one(ring.pendingBytes),
    ),
    gauge(
      'heliograph_agent_ring_oldest_unacknowledged_seconds',
      'Age of the oldest batch that no hub has acknowledged.',
      one(age),
    ),
    counter(
      'heliograph_agent_ring_overwritten_batches_total',
      'Batches overwritten before a hub acknowledged them.',
      one(ring.overwritten.batches),
    ),
    counter(
      'heliograph_agent_ring_overwritten_samples_total',
      'Samples overwritten before a hub acknowledged them.',
      one(ring.overwritten.samples),
    ),
    counter(
      'heliograph_agent_ring_refused_batches_total',
      'Batches that a hub refused for good.',
      one(ring.refusedBatches),
    ),
    counter('heliograph_agent_ring_lost_batches_total', 'Batches lost to damage on disk.', one(ring.lostBatches)),
    counter(
      'heliograph_agent_ring_recoveries_total',
      'Times that a damaged ring was set aside and salvaged.',
      one(ring.recoveries),
    ),
    counter('heliograph_agent_ring_commits_total', 'Transactions committed to the ring.', one(ring.commits)),
    gauge('heliograph_agent_epoch', 'Present epoch of the series dictionary.', one(recorder.epoch)),
    counter('heliograph_agent_recorded_batches_total', 'Batches sealed.', one(recorder.sealedBatches)),
    counter('heliograph_agent_recorded_samples_total', 'Samples sealed into batches.', one(recorder.sealedSamples)),
    counter('heliograph_agent_recorded_bytes_total', 'Bytes of sealed batches.', one(recorder.sealedBytes)),
    gauge('heliograph_agent_queued_bytes', 'Bytes sealed and not yet on disk.', one(recorder.queuedBytes)),
    counter(
      'heliograph_agent_dropped_scrapes_total',
      'Scrapes dropped because the disk did not keep up.',
      one(recorder.droppedScrapes),
    ),
    counter(
      'heliograph_agent_dropped_samples_total',
      'Samples dropped because the disk did not keep up.',
      one(recorder.droppedSamples),
    ),
  ]
}

export function uplinkFamilies(uplink: UplinkStats): MetricFamily[] {
  return [
    gauge('heliograph_agent_uplink_connected', 'Whether the bus is connected.', one(uplink.connected ? 1 : 0)),
    gauge(
      'heliograph_agent_uplink_in_flight_batches',
      'Batches published and not yet acknowledged by a hub.',
      one(uplink.inFlightBatches),
    ),
    counter('heliograph_agent_uplink_sent_batches_total', 'Batches published, by lane; batches sent again included.', [
      { labels: ['lane', 'backlog'], value: uplink.sentBacklog },
      { labels: ['lane', 'fresh'], value: uplink.sentFresh },
    ]),
    counter('heliograph_agent_uplink_sent_bytes_total', 'Bytes published.', one(uplink.sentBytes)),
    counter('heliograph_agent_uplink_resent_batches_total', 'Batches published again.', one(uplink.resent)),
    counter(
      'heliograph_agent_uplink_acknowledged_batches_total',
      'Batches that a hub acknowledged as stored.',
      one(uplink.acked),
    ),
    counter('heliograph_agent_uplink_refused_batches_total', 'Batches that a hub refused.', one(uplink.refused)),
    counter(
      'heliograph_agent_uplink_keyframes_wanted_total',
      'Keyframes that a hub asked for.',
      one(uplink.keyframesWanted),
    ),
    counter(
      'heliograph_agent_uplink_publish_errors_total',
      'Publishes that the bus refused or did not answer.',
      one(uplink.publishErrors),
    ),
    counter(
      'heliograph_agent_uplink_bad_acknowledgements_total',
      'Acknowledgements that could not be read.',
      one(uplink.badAcks),
    ),
  ]
}
