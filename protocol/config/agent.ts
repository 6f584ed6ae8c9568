/** `agent.yml`: what to collect on this host, where to keep it and where to send it. */
import { isMap } from 'yaml'
import type { Labels } from '../labels/mod.ts'
import { labelsFrom } from '../labels/mod.ts'
import { type BudgetConfig, budget } from './budget.ts'
import {
  boolean,
  type Cursor,
  type Decoder,
  decodeYaml,
  list,
  object,
  parsed,
  record,
  redactedYaml,
  secret,
  string,
} from './decode.ts'
import { duration, labelRecord } from './discovery.ts'
import { isAddress, type NatsConfig, nats } from './heliograph.ts'
import { DEFAULT_GLOBAL, type LoadOptions } from './prometheus.ts'
import {
  finishShared,
  type PendingJob,
  pendingJob,
  type ScrapeConfig,
  type ScrapeDefaults,
  SHARED_FIELDS,
  type SharedRaw,
} from './scrape.ts'
import { parseBytes } from './units.ts'

export type ExporterConfig = {
  readonly name: string
  readonly enabled: boolean
  /** `job` label; the exporter's name by default. */
  readonly job: string
  readonly intervalMs: number | null
  readonly labels: Readonly<Record<string, string>>
  /** `host:port` of an own HTTP endpoint, as the upstream exporter has it; '' for none. */
  readonly listen: string
  /** Flags of the upstream exporter as keys of the same name (`path.procfs`, `collector.cpu.info`…), values as written. */
  readonly flags: ExporterFlags
  /** What is measured, each a scrape target of its own; empty: what the flags say, under the agent's `instance`. */
  readonly targets: readonly ExporterTarget[]
}

export type ExporterFlags = Readonly<Record<string, string | readonly string[]>>

export type ExporterTarget = {
  /** HOST:PORT, a path or a URI, in the place of the exporter's own flag for it; '' where flags say it. */
  readonly address: string
  /** `instance` label; the address by default. */
  readonly instance: string
  readonly labels: Readonly<Record<string, string>>
  /** On top of the exporter's. */
  readonly flags: ExporterFlags
}

export type AgentConfig = {
  readonly global: ScrapeDefaults
  readonly externalLabels: Labels
  /** '' = made from the host name. */
  readonly id: string
  readonly site: string
  /** null: collect and serve locally only. */
  readonly hub: { readonly url: string; readonly tokenFile: string } | null
  readonly nats: NatsConfig | null
  readonly storage: {
    readonly path: string
    readonly maxBytes: number
    /** Older batches go, whether a hub has them or not; 0 = as long as there is room. */
    readonly maxAgeMs: number
    /** null: made from the shortest scrape interval. */
    readonly batchAgeMs: number | null
  }
  /** null: the link costs nothing. */
  readonly budget: BudgetConfig | null
  readonly exporters: readonly ExporterConfig[]
  readonly scrapeConfigs: readonly ScrapeConfig[]
  readonly redacted: string
}

const MIN_RING_BYTES = 8 * 2 ** 20
export const AGENT_EXPORTERS = [
  'node',
  'nodejs',
  'memcached',
  'mysql',
  'haproxy',
  'statsd',
  'graphite',
  'blackbox',
  'consul',
  'push',
] as const
const OWN_KEYS = ['enabled', 'job', 'scrape_interval', 'labels', 'listen', 'targets']
const TARGET_KEYS = ['target', 'instance', 'labels']
/** Exporters of something else than this host and this process, of which there may be several. */
const MULTI_TARGET = ['mysql', 'memcached', 'haproxy']

const flagValue: Decoder<string | readonly string[]> = (at) =>
  Array.isArray((at.node as { items?: unknown })?.items) ? list(string)(at) : string(at)

/** URIs may hold a password, which must not be shown again. */
const flagsOf = (all: Readonly<Record<string, Cursor>>, own: readonly string[]): ExporterFlags => {
  const flags: Record<string, string | readonly string[]> = {}
  for (const [key, child] of Object.entries(all))
    if (!own.includes(key)) flags[key] = secretIfUri(child, flagValue(child))
  return flags
}

function secretIfUri<T extends string | readonly string[]>(at: Cursor, value: T): T {
  if (typeof value === 'string' && /:\/\/[^/@]*:[^/@]*@/.test(value)) secret(at)
  return value
}

/** An address alone, or a mapping of it with labels and flags. */
const exporterTarget: Decoder<ExporterTarget> = (at) => {
  const isBare = !isMap(at.node)
  const all: Readonly<Record<string, Cursor>> = isBare ? { target: at } : record((child) => child)(at)
  const address = all['target'] ? secretIfUri(all['target'], string(all['target'])) : ''
  const instance = all['instance'] ? string(all['instance']) : withoutCredentials(address)
  if (instance === '') at.fail('a target needs "target", its address, or "instance", its name')
  return {
    address,
    instance,
    labels: all['labels'] ? labelRecord(all['labels']) : {},
    flags: flagsOf(all, TARGET_KEYS),
  }
}

const withoutCredentials = (address: string): string => address.replace(/:\/\/[^/@]*@/, '://')

const exporterTargets: Decoder<readonly ExporterTarget[]> = (at) => {
  const targets = list(exporterTarget, 'empty or null target')(at)
  const names = targets.map(({ instance }) => instance)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) at.fail(`two targets have the instance ${JSON.stringify(twice)}; give one of them another`)
  return targets
}

const exporter: Decoder<Omit<ExporterConfig, 'name'>> = (at) => {
  const all = record((child) => child)(at)
  const listen = all['listen'] ? string(all['listen']) : ''
  if (listen !== '' && !isAddress(listen))
    all['listen']!.fail(`listen must be HOST:PORT, got ${JSON.stringify(listen)}`)
  return {
    enabled: all['enabled'] ? boolean(all['enabled']) : true,
    job: all['job'] ? string(all['job']) : '',
    intervalMs: all['scrape_interval'] ? duration(all['scrape_interval']) : null,
    labels: all['labels'] ? labelRecord(all['labels']) : {},
    listen,
    flags: flagsOf(all, OWN_KEYS),
    targets: all['targets'] ? exporterTargets(all['targets']) : [],
  }
}

function exporters(at: Cursor): Readonly<Record<string, Omit<ExporterConfig, 'name'>>> {
  const checkName = (name: string, key: Cursor): void => {
    if (!(AGENT_EXPORTERS as readonly string[]).includes(name))
      key.fail(`unknown exporter ${JSON.stringify(name)}, known are ${AGENT_EXPORTERS.join(', ')}`)
  }
  const all = record(exporter, checkName)(at)
  for (const [name, { targets }] of Object.entries(all))
    if (targets.length > 0 && !MULTI_TARGET.includes(name))
      at.fail(`exporter ${name} takes no targets; ${MULTI_TARGET.join(', ')} do`)
  return all
}

const AGENT_ID = /^[a-z0-9][a-z0-9-]{0,63}$/

const root = object(
  'agent.Config',
  {
    global: object('agent.GlobalConfig', { ...SHARED_FIELDS, external_labels: labelRecord }, (raw, at) => ({
      raw,
      at,
    })),
    agent: object('agent.IdentityConfig', { id: string, site: string }, (raw, at) => {
      if (raw.id && !AGENT_ID.test(raw.id))
        at.fail(`agent id must be 1 to 64 of a-z 0-9 and -, got ${JSON.stringify(raw.id)}`)
      if (raw.site && !/^[A-Za-z0-9_-]{1,64}$/.test(raw.site))
        at.fail(`site must be 1 to 64 of A-Z a-z 0-9 _ -, got ${JSON.stringify(raw.site)}`)
      return raw
    }),
    hub: object('agent.HubConfig', { url: string, token_file: string }, (raw, at) => {
      if (!/^https?:\/\/[^/]/.test(raw.url ?? ''))
        at.fail(`hub url must be http:// or https://, got ${JSON.stringify(raw.url ?? '')}`)
      return { url: (raw.url ?? '').replace(/\/+$/, ''), tokenFile: raw.token_file ?? '' }
    }),
    nats,
    storage: object(
      'agent.StorageConfig',
      { path: string, max_bytes: parsed(parseBytes), max_age: duration, batch_age: duration },
      (raw, at) => {
        if (raw.max_bytes !== undefined && raw.max_bytes < MIN_RING_BYTES)
          at.fail('storage max_bytes must be at least 8MB')
        return raw
      },
    ),
    budget,
    exporters,
    scrape_configs: list<PendingJob>(pendingJob, 'empty or null scrape config section'),
  },
  (raw, at) => ({ raw, at }),
)

/** @throws ConfigError */
export function loadAgentConfig(text: string, options: Pick<LoadOptions, 'file'>): AgentConfig {
  const { value, source } = decodeYaml(text, options.file, root)
  const { raw, at } = value
  const global = finishShared((raw.global?.raw ?? {}) as SharedRaw, raw.global?.at ?? at, DEFAULT_GLOBAL, '')
  const seen = new Set<string>()
  for (const job of raw.scrape_configs ?? []) {
    if (seen.has(job.jobName)) job.at.fail(`found multiple scrape configs with job name ${JSON.stringify(job.jobName)}`)
    seen.add(job.jobName)
  }
  return {
    global,
    externalLabels: labelsFrom(raw.global?.raw.external_labels ?? {}),
    id: raw.agent?.id ?? '',
    site: raw.agent?.site || 'default',
    hub: raw.hub ?? null,
    nats: raw.nats ?? null,
    storage: {
      path: raw.storage?.path || '/var/lib/heliograph',
      maxBytes: raw.storage?.max_bytes ?? 512 * 2 ** 20,
      maxAgeMs: raw.storage?.max_age ?? 0,
      batchAgeMs: raw.storage?.batch_age || null,
    },
    budget: raw.budget ?? null,
    exporters: Object.entries(raw.exporters ?? {}).map(([name, config]) => ({
      ...config,
      name,
      job: config.job || name,
    })),
    scrapeConfigs: (raw.scrape_configs ?? []).map((job) => job.finish(global)),
    redacted: redactedYaml(source),
  }
}
