/** `prometheus.yml` as Prometheus 3.14 reads it, and our key `heliograph:`. Semantics: Prometheus config/config.go. */
import { shownUrl } from '../env/mod.ts'
import type { Labels } from '../labels/mod.ts'
import { labelsFrom } from '../labels/mod.ts'
import type { OtlpSettings } from '../otlp/mod.ts'
import type { NameValidationScheme } from '../relabel/mod.ts'
import {
  ConfigError,
  type Cursor,
  type Decoder,
  decodeYaml,
  integer,
  list,
  object,
  redactedYaml,
  type Source,
  string,
} from './decode.ts'
import { duration, labelRecord } from './discovery.ts'
import { expandGlob } from './glob.ts'
import { HUB_DEFAULTS, type HubConfig, heliograph } from './heliograph.ts'
import { directoryOf, joinPath } from './paths.ts'
import { scrapePoolText } from './pool-text.ts'
import {
  type AlertingConfig,
  alerting,
  otlp,
  type RemoteWriteConfig,
  remoteRead,
  remoteWrite,
  type StorageConfig,
  storage,
  tracing,
  UTF8_STRATEGIES,
} from './remote.ts'
import {
  finishShared,
  type PendingJob,
  pendingJob,
  type ScrapeConfig,
  type ScrapeDefaults,
  SHARED_FIELDS,
  type SharedRaw,
} from './scrape.ts'

export type PrometheusConfig = {
  readonly global: ScrapeDefaults & {
    readonly evaluationIntervalMs: number
    readonly ruleQueryOffsetMs: number
    readonly externalLabels: Labels
    readonly queryLogFile: string
  }
  readonly ruleFiles: readonly string[]
  readonly scrapeConfigs: readonly ScrapeConfig[]
  readonly alerting: AlertingConfig
  readonly remoteWrite: readonly RemoteWriteConfig[]
  /** Names of sections that the file has and nothing acts upon: they are checked only. */
  readonly withoutEffect: readonly string[]
  readonly storage: StorageConfig
  /** What the `otlp` section sets. */
  readonly otlp: Partial<OtlpSettings>
  readonly hub: HubConfig
  /** With secrets shown as `<secret>`. */
  readonly redacted: string
  /** By the name of the job, as it is in effect; secrets likewise. */
  readonly poolTexts: ReadonlyMap<string, string>
}

/** What loading may read besides the text: `scrape_config_files`. */
export type ConfigFiles = { readText(path: string): string; readDirectory(path: string): string[] }
export type LoadOptions = {
  /** For messages, and the base of relative paths in the file. */
  readonly file: string
  readonly files: ConfigFiles | null
  /** For `${NAME}` in external labels. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Upstream's flag created-timestamp-zero-ingestion: jobs read start timestamps, and ask for protobuf first. */
  readonly startTimestamps?: boolean
}

export const DEFAULT_GLOBAL: ScrapeDefaults = {
  scrapeIntervalMs: 60_000,
  scrapeTimeoutMs: 10_000,
  protocols: null,
  bodySizeLimitBytes: 0,
  sampleLimit: 0,
  sampleLimitMode: 'hard',
  targetLimit: 0,
  labelLimit: 0,
  labelNameLengthLimit: 0,
  labelValueLengthLimit: 0,
  keepDroppedTargets: 0,
  nameValidation: 'utf8',
  escaping: '',
  scrapeNativeHistograms: false,
  alwaysScrapeClassicHistograms: false,
  convertClassicToNhcb: false,
  extraScrapeMetrics: false,
  startTimestamps: false,
  failureLogFile: '',
}

/** One `*`, in the last part of the path only. */
const GLOB = /^[^*]*(\*[^/]*)?$/
const globPath = (complaint: string): Decoder<string> => {
  return (at) => {
    const path = string(at)
    return GLOB.test(path) ? path : at.fail(`${complaint} ${JSON.stringify(path)}`)
  }
}

const globalSection = object(
  'config.plain',
  {
    ...SHARED_FIELDS,
    evaluation_interval: duration,
    rule_query_offset: duration,
    query_log_file: string,
    external_labels: labelRecord,
  },
  (raw, at) => ({ raw, at }),
)

const root = object(
  'config.plain',
  {
    global: globalSection,
    runtime: object('config.RuntimeConfig', { gogc: integer }, (raw) => raw),
    alerting,
    rule_files: list(globPath('invalid rule file path')),
    scrape_config_files: list(globPath('invalid scrape config file path')),
    scrape_configs: list<PendingJob>(pendingJob, 'empty or null scrape config section'),
    storage,
    tracing,
    remote_write: list<RemoteWriteConfig>(remoteWrite, 'empty or null remote write config section'),
    remote_read: list(remoteRead, 'empty or null remote read config section'),
    otlp,
    heliograph,
  },
  (raw, at) => ({ raw, at }),
)

/** @throws ConfigError with file, line, column, key and what was expected */
export function loadPrometheusConfig(text: string, options: LoadOptions): PrometheusConfig {
  const { value, source } = decodeYaml(text, options.file, root)
  const { raw, at } = value
  const globalAt = raw.global?.at ?? at
  const globalRaw = raw.global?.raw ?? {}
  const { startTimestamps = false } = options
  const defaults = finishShared(globalRaw as SharedRaw, globalAt, { ...DEFAULT_GLOBAL, startTimestamps }, '')
  const globals = checkedGlobals(defaults, globalAt)
  const jobs = [...(raw.scrape_configs ?? []), ...includedJobs(raw.scrape_config_files ?? [], at, options)]
  checkUnique(
    jobs.map((job) => ({ name: job.jobName, at: job.at })),
    'scrape configs',
  )
  const scrapeConfigs = jobs.map((job) => job.finish(globals))
  const named = (items: readonly { readonly name: string }[] | undefined, what: string): void =>
    checkUnique(
      (items ?? []).filter(({ name }) => name !== '').map(({ name }) => ({ name, at })),
      what,
    )
  named(raw.remote_write, 'remote write configs')
  checkDistinct(raw.remote_write ?? [], at)
  named(raw.remote_read, 'remote read configs')
  const strategy = raw.otlp?.translationStrategy ?? ''
  if (UTF8_STRATEGIES.includes(strategy) && globals.nameValidation === 'legacy')
    at.fail(`OTLP translation strategy "${strategy}" is not allowed when UTF8 is disabled`)
  return {
    global: {
      ...globals,
      evaluationIntervalMs: globalRaw.evaluation_interval || 60_000,
      ruleQueryOffsetMs: globalRaw.rule_query_offset ?? 0,
      externalLabels: expandLabels(globalRaw.external_labels ?? {}, options.environment),
      queryLogFile: globalRaw.query_log_file ?? '',
    },
    ruleFiles: raw.rule_files ?? [],
    scrapeConfigs,
    alerting: raw.alerting ?? { relabel: [], alertmanagers: [] },
    remoteWrite: raw.remote_write ?? [],
    withoutEffect: (['remote_read', 'tracing'] as const).filter((name) => raw[name] !== undefined),
    storage: raw.storage ?? { outOfOrderTimeWindowMs: null, retentionTimeMs: null, retentionSizeBytes: null },
    otlp: raw.otlp ?? {},
    hub: raw.heliograph ?? HUB_DEFAULTS,
    redacted: redactedYaml(source as Source),
    poolTexts: new Map(jobs.map(({ jobName, at }, i) => [jobName, scrapePoolText(at, scrapeConfigs[i]!)])),
  }
}

function checkedGlobals(globals: ScrapeDefaults, at: Cursor): ScrapeDefaults {
  const legacy: NameValidationScheme = 'legacy'
  if (globals.nameValidation === legacy && globals.escaping === 'allow-utf-8') {
    at.fail('utf8 metric names requested but validation scheme is not set to UTF8')
  }
  return globals
}

/** As upstream's hash of the section, which does not see what is secret either. */
function checkDistinct(items: readonly RemoteWriteConfig[], at: Cursor): void {
  const seen = new Set<string>()
  for (const item of items) {
    const text = JSON.stringify(item)
    if (seen.has(text))
      at.fail(`duplicate remote write configs are not allowed, found duplicate for URL: ${shownUrl(new URL(item.url))}`)
    seen.add(text)
  }
}

function checkUnique(items: readonly { readonly name: string; readonly at: Cursor }[], what: string): void {
  const seen = new Set<string>()
  for (const { name, at } of items) {
    if (seen.has(name)) at.fail(`found multiple ${what} with job name ${JSON.stringify(name)}`)
    seen.add(name)
  }
}

const included = object(
  'config.ScrapeConfigs',
  { scrape_configs: list<PendingJob>(pendingJob, 'empty or null scrape config section') },
  (raw) => raw,
)

function includedJobs(patterns: readonly string[], at: Cursor, options: LoadOptions): PendingJob[] {
  const { files } = options
  if (!files) return []
  const read = (file: string): string | null => {
    try {
      return files.readText(file)
    } catch (error) {
      // Upstream's patterns match what is there.
      if ((error as { code?: string }).code === 'ENOENT') return null
      return at.fail(`cannot read scrape config file ${JSON.stringify(file)}: ${(error as Error).message}`, error)
    }
  }
  return patterns.flatMap((pattern) =>
    filesOf(joinPath(directoryOf(options.file), pattern), files, at).flatMap((file) => {
      const text = read(file)
      return text === null ? [] : [...(decodeYaml(text, file, included).value.scrape_configs ?? [])]
    }),
  )
}

function filesOf(pattern: string, files: ConfigFiles, at: Cursor): string[] {
  try {
    return expandGlob(pattern, files)
  } catch (error) {
    return at.fail(
      `error retrieving scrape config files for ${JSON.stringify(pattern)}: ${(error as Error).message}`,
      error,
    )
  }
}

/** `$NAME` and `${NAME}` of the environment; `$$` is `$`. Semantics: Go os.Expand as config.Load uses it. */
function expandLabels(labels: Readonly<Record<string, string>>, environment: LoadOptions['environment']): Labels {
  const expand = (text: string): string =>
    text.replace(/\$(?:\$|\{([^}]*)\}|([A-Za-z_]\w*))/g, (whole, braced?: string, bare?: string) =>
      whole === '$$' ? '$' : (environment[(braced ?? bare)!] ?? ''),
    )
  return labelsFrom(Object.entries(labels).map(([name, value]) => [name, expand(value)] as const))
}

export { ConfigError }
