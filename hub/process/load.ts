/** Everything a hub reads from files, loaded and checked as a whole: a reload applies all of it or nothing. */
import {
  ConfigError,
  directoryOf,
  expandGlob,
  joinPath,
  loadPrometheusConfig,
  type PrometheusConfig,
  type RetentionRule,
} from '../../protocol/config/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import { canSend, type DispatcherConfig, loadAlertmanagerConfig } from '../alerts/mod.ts'
import { parseMetricSelector } from '../promql/parser/mod.ts'
import { loadRuleFile, type RuleGroup } from '../rules/mod.ts'
import type { ConfigDisk } from './config-sources.ts'

export type LoadedConfig = {
  readonly prometheus: PrometheusConfig
  readonly retention: readonly SeriesRetention[]
  readonly groups: readonly RuleGroup[]
  /** null: alerts are not notified from here. */
  readonly alertmanager: DispatcherConfig | null
  /** An `alertmanager.yml` beside a configuration that names Alertmanagers; '' if there is none. */
  readonly unusedAlertmanagerFile: string
}

/** How long series are kept that the matchers select. */
export type SeriesRetention = { readonly matchers: readonly Matcher[]; readonly timeMs: number }

export type LoadPaths = {
  readonly configFile: string
  readonly alertmanagerFile: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** @throws ConfigError, or DiskError for a file that cannot be read */
export function loadAll(disk: ConfigDisk, { configFile, alertmanagerFile, environment }: LoadPaths): LoadedConfig {
  const prometheus = loadPrometheusConfig(disk.readText(configFile), { file: configFile, files: disk, environment })
  const base = directoryOf(configFile)
  const ruleFiles = new Set(prometheus.ruleFiles.flatMap((pattern) => expandGlob(joinPath(base, pattern), disk)))
  const groups = [...ruleFiles].flatMap((file) =>
    loadRuleFile(readRules(disk, file), file, { nameValidation: prometheus.global.nameValidation }),
  )
  const beside = alertmanagerFile || joinPath(base, 'alertmanager.yml')
  const isThere = alertmanagerFile !== '' || disk.stat(beside) !== null
  // Debian keeps both files in one folder: who names Alertmanagers wants them to notify, not this hub as well.
  const isOthers = alertmanagerFile === '' && prometheus.alerting.alertmanagers.length > 0
  const retention = prometheus.hub.retention.map((rule) => ({ matchers: selectorOf(rule), timeMs: rule.timeMs }))
  return {
    prometheus,
    retention,
    groups,
    alertmanager: isThere && !isOthers ? loadAlertmanager(disk, disk.readText(beside), beside) : null,
    unusedAlertmanagerFile: isThere && isOthers ? beside : '',
  }
}

/** What an operator should know of a configuration that is in order. */
export function noticesOf({ prometheus, unusedAlertmanagerFile }: LoadedConfig): string[] {
  const notices = prometheus.withoutEffect.map((section) => `Nothing acts upon ${section} of the configuration`)
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

/** With its template files; an alert that goes nowhere must not look configured. */
function loadAlertmanager(disk: ConfigDisk, text: string, file: string): DispatcherConfig {
  const config = loadAlertmanagerConfig(text, file)
  const fail = (problem: string): never => {
    throw new ConfigError({ file, line: 1, column: 1, key: '' }, problem)
  }
  for (const { name, integrations } of config.receivers.values())
    for (const { kind } of integrations)
      if (!canSend(kind)) fail(`${kind}_configs of receiver ${JSON.stringify(name)} cannot be sent from here yet`)
  const base = directoryOf(file)
  const files = config.templates.flatMap((pattern) => expandGlob(joinPath(base, pattern), disk))
  const templateTexts = files.map((name) => {
    try {
      return { name: name.slice(name.lastIndexOf('/') + 1), text: disk.readText(name) }
    } catch (error) {
      return fail(`cannot read the template file ${name}: ${(error as Error).message}`)
    }
  })
  return { ...config, templateTexts, directory: base }
}

function readRules(disk: ConfigDisk, file: string): string {
  try {
    return disk.readText(file)
  } catch (error) {
    throw new ConfigError(
      { file, line: 1, column: 1, key: '' },
      `cannot read the rule file: ${(error as Error).message}`,
      { cause: error },
    )
  }
}
