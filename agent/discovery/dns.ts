/** Targets from DNS records. Semantics: Prometheus discovery/dns/dns.go (v3.14). */
import type { OtherDiscovery } from '../../protocol/config/mod.ts'
import type { DnsRecord, DnsType } from '../../protocol/env/mod.ts'
import { type DiscoveryContext, joinHostPort, refreshLoop, type TargetGroup, type TargetLabels } from './group.ts'

export function discoverDns(section: OtherDiscovery, context: DiscoveryContext): Promise<void> {
  const names = section.settings['names'] as readonly string[]
  const type = String(section.settings['type'] ?? 'SRV').toUpperCase() as DnsType
  const port = Number(section.settings['port'] ?? 0)
  const intervalMs = section.settings['refresh_interval'] === undefined ? 30_000 : section.refreshIntervalMs
  const last = new Map<string, TargetGroup>()
  return refreshLoop(intervalMs, context, async () => {
    await Promise.all(
      names.map(async (name) => {
        try {
          const records = await context.net.resolveDns(name, type, { timeoutMs: 10_000 })
          last.set(name, { source: name, targets: records.map((record) => labelsOf(name, record, port)), labels: {} })
        } catch (err) {
          // A name that cannot be looked up keeps what it had; the others are not touched.
          context.counters.failures++
          context.log.error('Error refreshing DNS targets', { name, type, err })
        }
      }),
    )
    return [...last.values()]
  })
}

export function labelsOf(name: string, record: DnsRecord, port: number): TargetLabels {
  const labels: Record<string, string> = {
    __meta_dns_name: name,
    __meta_dns_srv_record_target: '',
    __meta_dns_srv_record_port: '',
    __meta_dns_mx_record_target: '',
    __meta_dns_ns_record_target: '',
  }
  const host = record.host.replace(/\.+$/, '')
  const rooted = `${host}.`
  if (record.type === 'SRV') {
    labels['__meta_dns_srv_record_target'] = rooted
    labels['__meta_dns_srv_record_port'] = String(record.port)
  } else if (record.type === 'MX') labels['__meta_dns_mx_record_target'] = rooted
  else if (record.type === 'NS') labels['__meta_dns_ns_record_target'] = rooted
  labels['__address__'] = joinHostPort(host, record.type === 'SRV' ? record.port : port)
  return labels
}
