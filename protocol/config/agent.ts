/** `agent.yml`: what to collect on this host, where to keep it and where to send it. */
import { isMap } from 'yaml'
import type { Labels } from '../labels/mod.ts'
import { labelsFrom } from '../labels/mod.ts'
import { type BudgetConfig, budget } from './budget.ts'
import {
  boolean,
  ConfigError,
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
import { parseSize } from './units.ts'

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
const MULTI_TARGET = ['mysql', 'memcached', 'haproxy', 'consul']

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

const exporter: Decoder<ExporterConfig> = (at) => {
  const name = at.key.replace(/^exporters\./, '')
  const all = record((child) => child)(at)
  const listen = all['listen'] ? string(all['listen']) : ''
  if (listen !== '' && !isAddress(listen))
    all['listen']!.fail(`listen must be HOST:PORT, got ${JSON.stringify(listen)}`)
  const targets = all['targets'] ? exporterTargets(all['targets']) : []
  if (targets.length > 0 && !MULTI_TARGET.includes(name))
    all['targets']!.fail(`exporter ${name} takes no targets; ${MULTI_TARGET.join(', ')} do`)
  return {
    name,
    enabled: all['enabled'] ? boolean(all['enabled']) : true,
    job: (all['job'] && string(all['job'])) || name,
    intervalMs: all['scrape_interval'] ? duration(all['scrape_interval']) : null,
    labels: all['labels'] ? labelRecord(all['labels']) : {},
    listen,
    flags: flagsOf(all, OWN_KEYS),
    targets,
  }
}

function checkExporterName(name: string, key: Cursor): void {
  if (!(AGENT_EXPORTERS as readonly string[]).includes(name))
    key.fail(`unknown exporter ${JSON.stringify(name)}, known are ${AGENT_EXPORTERS.join(', ')}`)
}

const AGENT_ID = /^[a-z0-9][a-z0-9-]{0,63}$/

/** What could be read, whatever else could not. */
type Found = { readonly jobs: PendingJob[]; readonly exporters: ExporterConfig[]; global: ScrapeDefaults | null }
const nothingFound = (): Found => ({ jobs: [], exporters: [], global: DEFAULT_GLOBAL })

const rootOf = (found: Found) =>
  object(
    'agent.Config',
    {
      global: (at) => {
        found.global = null
        const read = globalSection(at)
        found.global = read.defaults
        return read
      },
      agent: identity,
      hub,
      nats,
      storage,
      budget,
      exporters: record(kept(exporter, found.exporters), checkExporterName),
      scrape_configs: list(kept(pendingJob, found.jobs), 'empty or null scrape config section'),
    },
    (raw) => raw,
  )

function kept<T>(decoder: Decoder<T>, into: T[]): Decoder<T> {
  return (at) => {
    const value = decoder(at)
    into.push(value)
    return value
  }
}

const globalSection = object('agent.GlobalConfig', { ...SHARED_FIELDS, external_labels: labelRecord }, (raw, at) => ({
  externalLabels: raw.external_labels ?? {},
  defaults: finishShared(raw as SharedRaw, at, DEFAULT_GLOBAL, ''),
}))

const identity = object('agent.IdentityConfig', { id: string, site: string }, (raw, at) => {
  if (raw.id && !AGENT_ID.test(raw.id))
    at.fail(`agent id must be 1 to 64 of a-z 0-9 and -, got ${JSON.stringify(raw.id)}`)
  if (raw.site && !/^[A-Za-z0-9_-]{1,64}$/.test(raw.site))
    at.fail(`site must be 1 to 64 of A-Z a-z 0-9 _ -, got ${JSON.stringify(raw.site)}`)
  return raw
})

const hub = object('agent.HubConfig', { url: string, token_file: string }, (raw, at) => {
  if (!/^https?:\/\/[^/]/.test(raw.url ?? ''))
    at.fail(`hub url must be http:// or https://, got ${JSON.stringify(raw.url ?? '')}`)
  return { url: (raw.url ?? '').replace(/\/+$/, ''), tokenFile: raw.token_file ?? '' }
})

const storage = object(
  'agent.StorageConfig',
  { path: string, max_bytes: parsed(parseSize), max_age: duration, batch_age: duration },
  (raw, at) => {
    if (raw.max_bytes !== undefined && raw.max_bytes < MIN_RING_BYTES) at.fail('storage max_bytes must be at least 8MB')
    return raw
  },
)

/** @throws ConfigError */
export function loadAgentConfig(
  text: string,
  { file, startTimestamps = false }: Pick<LoadOptions, 'file' | 'startTimestamps'>,
): AgentConfig {
  const { value: raw, source } = decodeYaml(text, file, rootOf(nothingFound()))
  const global = { ...(raw.global?.defaults ?? DEFAULT_GLOBAL), startTimestamps }
  const names = new Set<string>()
  return {
    global,
    externalLabels: labelsFrom(raw.global?.externalLabels ?? {}),
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
    exporters: Object.values(raw.exporters ?? {}),
    scrapeConfigs: (raw.scrape_configs ?? []).map((job) => finishJob(job, names, global)),
    redacted: redactedYaml(source),
  }
}

/** @param names of the jobs before it. @throws ConfigError */
function finishJob({ jobName, at, finish }: PendingJob, names: Set<string>, global: ScrapeDefaults): ScrapeConfig {
  if (names.has(jobName)) at.fail(`found multiple scrape configs with job name ${JSON.stringify(jobName)}`)
  names.add(jobName)
  return finish(global)
}

export type AgentConfigCheck = {
  /** All that is wrong, in the order of the file. */
  readonly problems: readonly ConfigError[]
  /** null: there are problems. */
  readonly config: AgentConfig | null
  /** Those that could be read, whatever is wrong elsewhere. */
  readonly exporters: readonly ExporterConfig[]
}

/** As loadAgentConfig(), which stops at the first complaint. */
export function checkAgentConfig(text: string, { file }: Pick<LoadOptions, 'file'>): AgentConfigCheck {
  const problems: ConfigError[] = []
  const found = nothingFound()
  const attempt = (read: () => void): void => {
    try {
      read()
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      if (!problems.includes(error)) problems.push(error)
    }
  }
  attempt(() => decodeYaml(text, file, rootOf(found), { problems }))
  let config: AgentConfig | null = null
  const { global } = found
  // What jobs inherit from a bad section cannot be judged.
  if (global !== null) {
    const names = new Set<string>()
    for (const job of found.jobs) attempt(() => void finishJob(job, names, global))
  }
  if (problems.length === 0) config = loadAgentConfig(text, { file })
  problems.sort((a, b) => a.line - b.line || a.column - b.column)
  return { problems, config, exporters: found.exporters }
}
