/** What the API needs of the hub: everything is handed down by main.ts. */

import type { TargetStatus } from '../../agent/scrape/mod.ts'
import type { PrometheusConfig } from '../../protocol/config/mod.ts'
import type { Bus, Clock, Disk, Logger } from '../../protocol/env/mod.ts'
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import type { OtlpSettings } from '../../protocol/otlp/mod.ts'
import type { RelabelConfig } from '../../protocol/relabel/mod.ts'
import type { AgentRegistry } from '../agents/mod.ts'
import type { Dispatcher } from '../alerts/mod.ts'
import type { BlocksState, Damage } from '../block/mod.ts'
import type { Ingest } from '../ingest/mod.ts'
import type { PresenceBoard } from '../presence/mod.ts'
import type { QueryService, QuerySettings } from '../query/mod.ts'
import type { Group } from '../rules/mod.ts'
import type { TimeRange } from '../tsdb/mod.ts'
import type { Reloads } from './reloads.ts'

export type DroppedTarget = {
  readonly job: string
  readonly discoveredLabels: Labels
  /** The rule that dropped it. */
  readonly rule: string
}

export type BuildInfo = {
  readonly version: string
  readonly revision: string
  readonly branch: string
  readonly buildUser: string
  readonly buildDate: string
  readonly goVersion: string
}

/** What `/api/v1/admin/tsdb` does to storage. */
export interface StorageAdmin {
  /** Times included, ms. Durable when it returns. */
  deleteSeries(selectors: readonly (readonly Matcher[])[], range: TimeRange): void
  cleanTombstones(): Promise<void>
  /** Returns the snapshot's name. */
  snapshot(skipHead: boolean): Promise<string>
}

export type ApiDeps = {
  readonly clock: Clock
  readonly disk: Disk
  readonly log: Logger
  readonly query: QueryService
  readonly settings: () => QuerySettings
  readonly queryTimeoutMs: number
  readonly ingest: Ingest
  readonly registry: AgentRegistry
  /** The bus that agents are on; null while there is none. */
  readonly bus: () => Pick<Bus, 'request'> | null
  readonly presence: PresenceBoard
  /** Whoever can read it from the data directory may administrate agents. */
  readonly adminToken: string
  readonly groups: () => readonly Group[]
  readonly targets: () => readonly TargetStatus[]
  readonly droppedTargets: () => readonly DroppedTarget[]
  /** Jobs of the configuration, with or without targets, and how their targets are relabelled. */
  readonly scrapePools: () => ReadonlyMap<string, readonly RelabelConfig[]>
  readonly externalLabels: () => Labels
  /** Where others reach this server, and the address that it listens on. */
  readonly reach: { readonly externalUrl: string; readonly listen: string }
  /** Null: no alertmanager.yml is loaded. */
  readonly dispatcher: () => Dispatcher | null
  /** The configuration with secrets redacted. */
  readonly configTexts: () => Pick<PrometheusConfig, 'redacted' | 'poolTexts'>
  readonly flags: Readonly<Record<string, string>>
  readonly build: BuildInfo
  readonly startedMs: number
  readonly retention: () => string
  /** Where the process runs. */
  readonly host: { readonly name: string; readonly directory: string }
  readonly blocks: () => BlocksState
  readonly damages: () => readonly Damage[]
  /** Null: administration is not enabled. */
  readonly storage: StorageAdmin | null
  readonly reloads: Reloads
  readonly alertmanagers: () => readonly string[]
  readonly droppedAlertmanagers: () => readonly string[]
  readonly remoteWriteEnabled: boolean
  readonly otlpEnabled: boolean
  readonly otlpSettings: () => Partial<OtlpSettings>
  readonly lifecycleEnabled: boolean
  readonly reload: () => Promise<void>
  readonly quit: () => void
  readonly isReady: () => boolean
  /** The hub's own metrics. */
  readonly metrics: () => Promise<readonly MetricFamily[]>
  /** Folder of the built page. */
  readonly uiFolder: string
  /** Of others whose pages may read answers, a regular expression; by default there are none. */
  readonly corsOrigin?: string
  /** '' or `/prefix`. */
  readonly routePrefix: string
  readonly compress: (bytes: Uint8Array, encoding: 'gzip' | 'zstd') => Promise<Uint8Array>
}
