/**
 * Collectors whose source this runtime cannot reach: they exist, so that a configuration may name them, and each scrape
 * says that they failed and why. Off by default, also where upstream's are on.
 */
import type { Collector, NodeContext } from './collector.ts'

/** The system call or protocol each of them needs. */
export const UNAVAILABLE = {
  ethtool: 'the ethtool ioctl',
  logind: 'D-Bus',
  network_route: 'netlink',
  ntp: 'an NTP client',
  perf: 'perf_event_open',
  supervisord: 'an XML-RPC client',
  systemd: 'D-Bus',
  timex: 'adjtimex',
} as const

export class UnavailableError extends Error {
  constructor(collector: string, need: string) {
    super(`Collector ${collector} needs ${need}, which this build lacks; turn it off with --no-collector.${collector}`)
    this.name = 'UnavailableError'
  }
}

export function unavailableCollector(name: keyof typeof UNAVAILABLE): (context: NodeContext) => Collector {
  return () => ({
    name,
    update() {
      throw new UnavailableError(name, UNAVAILABLE[name])
    },
  })
}
