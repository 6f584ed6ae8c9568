/** Addresses of network devices, for `collector.netdev.address-info`. Semantics: node_exporter netdev_linux.go, netdev_common.go. */
import type { Kernel } from '../../protocol/env/mod.ts'
import type { FamilySet } from './collector.ts'
import { listAddresses, listLinks } from './links.ts'

export function addAddresses(out: FamilySet, kernel: Kernel, keep: (device: string) => boolean): void {
  const devices = new Map(listLinks(kernel).map(({ index, name }) => [index, name]))
  for (const { index, address, prefix } of listAddresses(kernel)) {
    const device = devices.get(index)
    if (device === undefined || !keep(device)) continue
    out.gauge('network_address_info', 'node network address by device', [
      ...['address', address, 'device', device, 'netmask', String(prefix), 'scope', scopeOf(address)],
    ])
  }
}

/** As upstream says it: loopback and link-local addresses are `link-local`, unless they are something wider. */
export function scopeOf(address: string): string {
  if (/^(127\.|169\.254\.|224\.0\.0\.)/.test(address) || address === '::1') return 'link-local'
  if (/^fe[89ab][0-9a-f]:/.test(address) || /^ff.2:/.test(address)) return 'link-local'
  if (/^ff.1:/.test(address)) return 'interface-local'
  return 'global'
}
