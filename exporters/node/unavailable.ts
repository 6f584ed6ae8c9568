/**
 * Collectors whose source this runtime cannot reach: they exist, so that a configuration may name them, and each scrape
 * says that they failed and why. Off by default, also where upstream's are on.
 */
import { type Collector, type NodeContext, UnavailableError } from './collector.ts'

/** The system call or protocol each of them needs. */
export const UNAVAILABLE = {
  logind: 'D-Bus',
  ntp: 'an NTP client',
  supervisord: 'an XML-RPC client',
  systemd: 'D-Bus',
} as const

export function unavailableCollector(name: keyof typeof UNAVAILABLE): (context: NodeContext) => Collector {
  return () => ({
    name,
    update() {
      throw new UnavailableError(`Collector ${name} needs ${UNAVAILABLE[name]}, which this build lacks`)
    },
  })
}
