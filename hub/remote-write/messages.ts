/** What the main thread and the remote-write thread say to each other: plain data, bodies transferred. */

import type { LogLevel } from '../../protocol/env/mod.ts'
import type { RelabelConfig } from '../../protocol/relabel/mod.ts'
import type { WalPosition } from '../wal/mod.ts'

export type RemoteWriteWorkerData = {
  /** The data directory. */
  readonly directory: string
  readonly logLevel: LogLevel
  readonly logFormat: 'logfmt' | 'json'
  /** Of the `SyncedEnd` of the log. */
  readonly synced: SharedArrayBuffer
  readonly endpoints: readonly EndpointSpec[]
}

/** What of an endpoint concerns the samples; how it is reached is the main thread's. */
export type EndpointSpec = {
  /** Names it among all, over reloads and restarts; part of a file's name. */
  readonly key: string
  /** For the log. */
  readonly name: string
  /** Where it begins to read when it has no cursor. */
  readonly startAt: WalPosition
  readonly isVersion2: boolean
  readonly externalLabels: readonly string[]
  readonly relabel: readonly RelabelConfig[]
  readonly sendExemplars: boolean
  readonly sendNativeHistograms: boolean
  readonly capacity: number
  readonly minShards: number
  readonly maxSamplesPerSend: number
  readonly batchSendDeadlineMs: number
  /** 0: of any age. */
  readonly sampleAgeLimitMs: number
  /** Of all that the hub stores; 0: none. The log that waits is a part of it. */
  readonly retentionSizeBytes: number
  /** Of families, for 1.0; null: they are not sent. */
  readonly metadata: { readonly intervalMs: number; readonly maxSamplesPerSend: number } | null
}

export type Counts = { readonly samples: number; readonly histograms: number; readonly exemplars: number }

export type RequestContents = Counts & {
  /** Families, which alone make a request of their own. */
  readonly families: number
  /** Of the newest and the oldest sample, milliseconds; -Infinity and Infinity where there is none. */
  readonly highestMs: number
  readonly lowestMs: number
}

/** Shard of requests with families. */
export const FAMILIES_SHARD = -1

export type OutgoingRequest = {
  readonly key: string
  readonly id: number
  readonly shard: number
  /** Of the message in `body`: after a reload that of the endpoint may be another. */
  readonly isVersion2: boolean
  /** Some of it was sent before, perhaps, or is late: where it is refused, that is likely to be why. */
  readonly mayBeThere: boolean
  /** Snappy. */
  readonly body: Uint8Array
  readonly contents: RequestContents
}

/** As upstream's label `reason`, and ours. */
export const DROP_REASONS = [
  'dropped_series',
  'too_old',
  'nhcb_in_rw1_not_supported',
  /** 2.0 has no place for an exemplar without a sample of its series. */
  'exemplar_without_sample',
  /** The log may not be held any longer. */
  'backlog_too_large',
] as const
export type DropReason = (typeof DROP_REASONS)[number]

export type EndpointState = {
  readonly key: string
  /** Read from the log and not answered for. */
  readonly pending: Counts
  /** Since it was opened, by reason. */
  readonly dropped: Readonly<Record<DropReason, Counts>>
  /** All that was read since it was opened, dropped or not. */
  readonly read: Counts
  readonly readPosition: WalPosition
  readonly shards: number
  /** Bytes of log from the cursor on. */
  readonly backlogBytes: number
  /** About so many samples and histograms are in the log behind what was read. */
  readonly unread: number
  /** Stretches of the log that were gone before they were read: what was in them is not known. */
  readonly gaps: number
  /** Records that could not be read. */
  readonly lostRecords: number
}

export type ToRemoteWrite =
  | { readonly kind: 'open'; readonly spec: EndpointSpec }
  /** Ends it: what it has read is sent for a moment longer. Of several the last counts. @param forget its cursor, too */
  | { readonly kind: 'close'; readonly key: string; readonly forget: boolean }
  /** The request is delivered, or given up. */
  | { readonly kind: 'answered'; readonly key: string; readonly id: number }
  | { readonly kind: 'shards'; readonly key: string; readonly shards: number }

export type FromRemoteWrite =
  | ({ readonly kind: 'request' } & OutgoingRequest)
  | ({ readonly kind: 'state' } & EndpointState)
  /** The log may not be held any longer for what this endpoint has read. */
  | { readonly kind: 'discard'; readonly key: string }
  | { readonly kind: 'closed'; readonly key: string }
