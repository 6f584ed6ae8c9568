/** Everything a hub reads from files, loaded and checked as a whole: a reload applies all of it or nothing. */
import {
  ConfigError,
  type DownsamplingLevel,
  directoryOf,
  expandGlob,
  joinPath,
  loadPrometheusConfig,
  type PrometheusConfig,
  type RetentionRule,
} from '../../protocol/config/mod.ts'
import { DiskError } from '../../protocol/env/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import { type DispatcherConfig, houseTemplates, loadAlertmanagerConfig } from '../alerts/mod.ts'
import { parseMetricSelector } from '../promql/parser/mod.ts'
import { parserFeatures, START_ZEROS } from '../query/mod.ts'
import { loadRuleFile, type RuleGroup } from '../rules/mod.ts'
import { TemplateError } from '../template/mod.ts'
import type { ConfigDisk } from './config-sources.ts'

export type LoadedConfig = {
  readonly prometheus: PrometheusConfig
  readonly retention: readonly SeriesRetention[]
  readonly groups: readonly RuleGroup[]
  /** null: alerts are not notified from here. */
  readonly alertmanager: DispatcherConfig | null
  /** Files named under rule_files or templates that are not there; upstream passes over them too. */
  readonly missingFiles: readonly string[]
  /** An `alertmanager.yml` beside a configuration that names Alertmanagers; '' if there is none. */
  readonly unusedAlertmanagerFile: string
}

/** How long series are kept that the matchers select. */
export type SeriesRetention = {
  readonly matchers: readonly Matcher[]
  readonly timeMs: number
  readonly downsampling: readonly DownsamplingLevel[]
}

export type LoadPaths = {
  readonly configFile: string
  readonly alertmanagerFile: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Of `--enable-feature`: what the rules may use of the language. */
  readonly features?: readonly string[]
}

/** @throws ConfigError, or DiskError for a file that cannot be read */
export function loadAll(
  disk: ConfigDisk,
  { configFile, alertmanagerFile, environment, features = [] }: LoadPaths,
): LoadedConfig {
  const prometheus = loadPrometheusConfig(disk.readText(configFile), {
    file: configFile,
    files: disk,
    environment,
    startTimestamps: features.includes(START_ZEROS),
  })
  const base = directoryOf(configFile)
  const ruleFiles = matching(disk, configFile, prometheus.ruleFiles)
  const groups = ruleFiles.found.flatMap((file) =>
    loadRuleFile(readRules(disk, file), file, {
      nameValidation: prometheus.global.nameValidation,
      features: parserFeatures(features),
    }),
  )
  const beside = alertmanagerFile || joinPath(base, 'alertmanager.yml')
  const isThere = alertmanagerFile !== '' || disk.stat(beside) !== null
  // Debian keeps both files in one folder: who names Alertmanagers wants them to notify, not this hub as well.
  const isOthers = alertmanagerFile === '' && prometheus.alerting.alertmanagers.length > 0
  const alertmanager = isThere && !isOthers ? loadAlertmanager(disk, beside) : null
  const retention = prometheus.hub.retention.map((rule) => ({ ...rule, matchers: selectorOf(rule) }))
  return {
    prometheus,
    retention,
    groups,
    alertmanager: alertmanager?.config ?? null,
    missingFiles: [...ruleFiles.missing, ...(alertmanager?.missingFiles ?? [])],
    unusedAlertmanagerFile: isThere && isOthers ? beside : '',
  }
}

/** What an operator should know of a configuration that is in order. */
export function noticesOf({ prometheus, missingFiles, unusedAlertmanagerFile }: LoadedConfig): string[] {
  const notices = prometheus.withoutEffect.map((section) => `Nothing acts upon ${section} of the configuration`)
  for (const file of missingFiles) notices.push(`${file}, which the configuration names, is not there`)
  const { nats, cluster } = prometheus.hub
  if (!nats && cluster.name !== '')
    notices.push('Nothing acts upon cluster under heliograph: hubs find each other in a real NATS, which nats names')
  if (unusedAlertmanagerFile !== '')
    notices.push(
      `${unusedAlertmanagerFile} is not used: the Alertmanagers under alerting notify; to notify from here as well, name it with --alertmanager.config.file`,
    )
  return notices
}

function selectorOf({ match, place }: RetentionRule): readonly Matcher[] {
  try {
    return parseMetricSelector(match)
  } catch (error) {
    throw new ConfigError(place, `retention match ${JSON.stringify(match)}: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

export type LoadedAlertmanager = { readonly config: DispatcherConfig; readonly missingFiles: readonly string[] }

/** With its template files. @throws ConfigError, or DiskError if the file cannot be read */
export function loadAlertmanager(disk: ConfigDisk, file: string): LoadedAlertmanager {
  const config = loadAlertmanagerConfig(disk.readText(file), file)
  const { found, missing } = matching(disk, file, config.templates)
  try {
    const templateTexts = found.map((name) => ({
      name: name.slice(name.lastIndexOf('/') + 1),
      text: disk.readText(name),
    }))
    houseTemplates(templateTexts, () => 0)
    return { config: { ...config, templateTexts, directory: directoryOf(file) }, missingFiles: missing }
  } catch (error) {
    if (!(error instanceof TemplateError || error instanceof DiskError)) throw error
    throw new ConfigError(startOf(file), `templates: ${error.message}`, { cause: error })
  }
}

/** Files that the patterns of a configuration select, and those that they name but that are not there. */
function matching(
  disk: ConfigDisk,
  file: string,
  patterns: readonly string[],
): { readonly found: string[]; readonly missing: string[] } {
  let paths: string[]
  try {
    paths = patterns.flatMap((pattern) => expandGlob(joinPath(directoryOf(file), pattern), disk))
  } catch (error) {
    throw new ConfigError(startOf(file), `${JSON.stringify(patterns)}: ${(error as Error).message}`, { cause: error })
  }
  const unique = [...new Set(paths)]
  const isThere = (path: string): boolean => disk.stat(path) !== null
  return { found: unique.filter(isThere), missing: unique.filter((path) => !isThere(path)) }
}

const startOf = (file: string) => ({ file, line: 1, column: 1, key: '' })

function readRules(disk: ConfigDisk, file: string): string {
  try {
    return disk.readText(file)
  } catch (error) {
    throw new ConfigError(startOf(file), `cannot read the rule file: ${(error as Error).message}`, { cause: error })
  }
}
