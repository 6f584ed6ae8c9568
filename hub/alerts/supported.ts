/** What a valid configuration asks for and the dispatcher cannot do yet: an alert that goes nowhere must not look configured. */
import type { AlertmanagerConfig } from './config/mod.ts'

/** What is asked for in vain, a phrase each; empty when all of it is acted upon. */
export function unsupported(config: AlertmanagerConfig): string[] {
  const out: string[] = []
  for (const { name, integrations } of config.receivers.values())
    for (const { kind } of integrations)
      if (kind !== 'webhook') out.push(`${kind}_configs of receiver ${JSON.stringify(name)}`)
  if (config.inhibitRules.length > 0) out.push('inhibit_rules')
  if (config.timeIntervals.size > 0) out.push('time_intervals')
  return out
}
