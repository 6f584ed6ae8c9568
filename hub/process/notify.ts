/** Alerts of rules on their way out: external labels, relabelling, then to the dispatcher and to other Alertmanagers. */
import { directoryOf, type PrometheusConfig } from '../../protocol/config/mod.ts'
import type { Env } from '../../protocol/env/mod.ts'
import { type Labels, labelsFrom, labelsToObject } from '../../protocol/labels/mod.ts'
import { type CompiledRelabel, compileRelabel, relabel } from '../../protocol/relabel/mod.ts'
import type { Alert } from '../alerts/mod.ts'
import { Notifier } from '../notifier/mod.ts'
import type { ActiveAlert } from '../rules/mod.ts'
import { queryEscape } from '../template/mod.ts'
import type { HubOptions } from './hub.ts'

export type AlertMapping = {
  readonly externalLabels: Labels
  readonly rules: readonly CompiledRelabel[]
  readonly externalUrl: string
}

export function alertMapping({ global, alerting }: PrometheusConfig, externalUrl: string): AlertMapping {
  return {
    externalLabels: global.externalLabels,
    rules: alerting.relabel.map((rule) => compileRelabel(rule)),
    externalUrl,
  }
}

export function outgoing(
  alerts: readonly ActiveAlert[],
  expr: string,
  { externalLabels, rules, externalUrl }: AlertMapping,
): Alert[] {
  const generatorUrl = `${externalUrl}/graph?g0.expr=${queryEscape(expr)}&g0.tab=1`
  return alerts.flatMap((alert) => {
    const labels = relabel(rules, labelsFrom({ ...labelsToObject(externalLabels), ...labelsToObject(alert.labels) }))
    if (labels === null) return []
    const endsAtMs = alert.resolvedAtMs > 0 ? alert.resolvedAtMs : alert.validUntilMs
    return [{ labels, annotations: alert.annotations, startsAtMs: alert.firedAtMs, endsAtMs, generatorUrl }]
  })
}

export function createNotifier(env: Env, { settings, build, environment }: HubOptions): Notifier {
  return new Notifier(env, {
    queueCapacity: settings.notificationQueueCapacity,
    batchSize: settings.notificationBatchSize,
    directory: directoryOf(settings.configFile),
    userAgent: `Heliograph/${build.version}`,
    environment,
  })
}
