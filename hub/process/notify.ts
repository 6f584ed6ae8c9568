/** Alerts of rules on their way out: external labels, relabelling, then to the dispatcher and to other Alertmanagers. */
import type { PrometheusConfig } from '../../protocol/config/mod.ts'
import { type Labels, labelsFrom, labelsToObject } from '../../protocol/labels/mod.ts'
import { type CompiledRelabel, compileRelabel, relabel } from '../../protocol/relabel/mod.ts'
import type { Alert, UpstreamTarget } from '../alerts/mod.ts'
import type { ActiveAlert } from '../rules/mod.ts'

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
  const generatorUrl = `${externalUrl}/graph?g0.expr=${encodeURIComponent(expr)}&g0.tab=1`
  return alerts.flatMap((alert) => {
    const labels = relabel(rules, labelsFrom({ ...labelsToObject(externalLabels), ...labelsToObject(alert.labels) }))
    if (labels === null) return []
    const endsAtMs = alert.resolvedAtMs > 0 ? alert.resolvedAtMs : alert.validUntilMs
    return [{ labels, annotations: alert.annotations, startsAtMs: alert.firedAtMs, endsAtMs, generatorUrl }]
  })
}

/** Static targets of `alerting.alertmanagers`; other discovery is named in `problems`. */
export function alertmanagerTargets({ alerting }: PrometheusConfig): {
  readonly targets: UpstreamTarget[]
  readonly problems: string[]
} {
  const problems: string[] = []
  const targets = alerting.alertmanagers.flatMap(({ scheme, pathPrefix, timeoutMs, discovery, http }) =>
    discovery.flatMap((section) => {
      if (section.kind !== 'static') {
        problems.push(`alertmanagers: ${section.kind} discovery is not supported yet`)
        return []
      }
      const headers: Record<string, string> = {}
      if (http.basicAuth)
        headers['authorization'] = `Basic ${btoa(`${http.basicAuth.username}:${http.basicAuth.password.reveal()}`)}`
      else if (http.authorization)
        headers['authorization'] = `${http.authorization.type} ${http.authorization.credentials.reveal()}`
      const prefix = pathPrefix.replace(/\/+$/, '')
      return (section as { targets: readonly string[] }).targets.map((address) => ({
        url: `${scheme}://${address}${prefix}/api/v2/alerts`,
        timeoutMs,
        headers,
      }))
    }),
  )
  return { targets, problems }
}
