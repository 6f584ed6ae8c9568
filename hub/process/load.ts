/** Everything a hub reads from files, loaded and checked as a whole: a reload applies all of it or nothing. */
import {
  ConfigError,
  directoryOf,
  expandGlob,
  joinPath,
  loadPrometheusConfig,
  type PrometheusConfig,
} from '../../protocol/config/mod.ts'
import type { Disk } from '../../protocol/env/mod.ts'
import { type AlertmanagerConfig, loadAlertmanagerConfig } from '../alerts/mod.ts'
import { loadRuleFile, type RuleGroup } from '../rules/mod.ts'

export type LoadedConfig = {
  readonly prometheus: PrometheusConfig
  readonly groups: readonly RuleGroup[]
  /** null: alerts are not notified from here. */
  readonly alertmanager: AlertmanagerConfig | null
}

export type LoadPaths = {
  readonly configFile: string
  readonly alertmanagerFile: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** @throws ConfigError, or DiskError for a file that cannot be read */
export function loadAll(disk: Disk, { configFile, alertmanagerFile, environment }: LoadPaths): LoadedConfig {
  const prometheus = loadPrometheusConfig(disk.readText(configFile), { file: configFile, files: disk, environment })
  const base = directoryOf(configFile)
  const ruleFiles = new Set(prometheus.ruleFiles.flatMap((pattern) => expandGlob(joinPath(base, pattern), disk)))
  const groups = [...ruleFiles].flatMap((file) =>
    loadRuleFile(readRules(disk, file), file, { nameValidation: prometheus.global.nameValidation }),
  )
  const beside = alertmanagerFile || joinPath(base, 'alertmanager.yml')
  const wanted = alertmanagerFile !== '' || disk.stat(beside) !== null
  return { prometheus, groups, alertmanager: wanted ? loadAlertmanagerConfig(disk.readText(beside), beside) : null }
}

function readRules(disk: Disk, file: string): string {
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
