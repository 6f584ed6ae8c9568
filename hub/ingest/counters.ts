/** Why something was not stored, and how much of everything there was: plain numbers that cross threads as they are. */

/** Batches that were refused (the agent sets them aside) or left without an answer (it sends them again). */
export type BatchReason =
  | 'bad_magic'
  | 'unknown_version'
  | 'bad_length'
  | 'bad_signature'
  | 'bad_payload'
  | 'too_large'
  | 'base_missing'
  | 'identity_mismatch'
  | 'bad_subject'
  | 'unknown_agent'
  | 'revoked_agent'
  | 'future'
  | 'undefined_series'
  | 'epoch_closed'
  | 'cursor_full'
  | 'disk_full'
  | 'memory_full'
  | 'overloaded'

export type IngestCounters = {
  batchesStored: number
  batchesDuplicate: number
  keyframesWanted: number
  batchBytes: number
  samplesStored: number
  /** Samples that the head had already, or that conflicted with what it had. */
  samplesNotStored: number
  /** Zeros at the starts of samples: see start-zeros.ts. */
  startZeros: number
  /** Of remote write and OTLP, by `out_of_order_time_window`: without one, and outside of it. */
  samplesOutOfOrder: number
  samplesTooOld: number
  /** Of remote write and OTLP, too far ahead of this hub's clock. */
  samplesAhead: number
  samplesOverSeriesLimit: number
  identityClashes: number
  chainBreaks: number
  localScrapes: number
  localScrapesDropped: number
  remoteWriteRequests: number
  remoteWriteSamples: number
  /** Samples that were not stored for the labels of their series. */
  remoteWriteInvalidLabels: number
  /** Data points of OTLP that are not stored, or not as a whole. */
  otlpPointsRejected: number
  ruleSamples: number
  /** Records of the log that could not be applied again. */
  replayLost: number
  checkpoints: number
}

export function newCounters(): IngestCounters {
  return {
    batchesStored: 0,
    batchesDuplicate: 0,
    keyframesWanted: 0,
    batchBytes: 0,
    samplesStored: 0,
    samplesNotStored: 0,
    startZeros: 0,
    samplesOutOfOrder: 0,
    samplesTooOld: 0,
    samplesAhead: 0,
    samplesOverSeriesLimit: 0,
    identityClashes: 0,
    chainBreaks: 0,
    localScrapes: 0,
    localScrapesDropped: 0,
    remoteWriteRequests: 0,
    remoteWriteSamples: 0,
    remoteWriteInvalidLabels: 0,
    otlpPointsRejected: 0,
    ruleSamples: 0,
    replayLost: 0,
    checkpoints: 0,
  }
}
