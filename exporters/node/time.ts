/** The system clock, its zone, and the kernel's clock sources. Semantics: node_exporter collector/time.go. */
import type { Disk } from '../../protocol/env/mod.ts'
import type { Metric, MetricFamily } from '../../protocol/exposition/mod.ts'
import { type Collector, family, type NodeContext, single } from './collector.ts'
import { readOptional } from './files.ts'
import { type ZoneAt, zoneAt, zoneFile } from './time-zone.ts'

export function timeCollector({ clock, disk, sysfs, timeZone }: NodeContext): Collector {
  const file = zoneFile(timeZone)
  // Once, as upstream: a process keeps the zone that it was started in.
  let rules: Uint8Array | null = null
  const zone = (epochSeconds: number): ZoneAt => {
    rules ??= file === null ? NO_RULES : readZone(disk, file)
    return zoneAt(rules, epochSeconds)
  }
  return {
    name: 'time',
    update() {
      const now = clock.now()
      const { name: time_zone, offsetSeconds } = zone(Math.floor(now / 1000))
      const out: MetricFamily[] = [
        single('gauge', 'time_seconds', 'System time in seconds since epoch (1970).', now / 1000),
        family('gauge', 'time_zone_offset_seconds', 'System time zone offset in seconds.', [
          { labels: ['time_zone', time_zone], value: offsetSeconds },
        ]),
      ]
      const available: Metric[] = []
      const current: Metric[] = []
      const base = `${sysfs}/devices/system/clocksource`
      let devices: string[] = []
      try {
        devices = disk.readDirectory(base).filter((name) => /^clocksource\d+$/.test(name))
      } catch {
        // Not on every architecture.
      }
      for (const name of devices) {
        const device = name.slice('clocksource'.length)
        const words = (readOptional(disk, `${base}/${name}/available_clocksource`) ?? '').trim().split(/\s+/)
        for (const clocksource of words)
          if (clocksource !== '') available.push({ labels: ['clocksource', clocksource, 'device', device], value: 1 })
        const now = readOptional(disk, `${base}/${name}/current_clocksource`)?.trim()
        if (now) current.push({ labels: ['clocksource', now, 'device', device], value: 1 })
      }
      const source = "read from '/sys/devices/system/clocksource'."
      out.push(family('gauge', 'time_clocksource_available_info', `Available clocksources ${source}`, available))
      out.push(family('gauge', 'time_clocksource_current_info', `Current clocksource ${source}`, current))
      return out
    },
  }
}

const NO_RULES = new Uint8Array(0)

function readZone(disk: Disk, file: string): Uint8Array {
  try {
    return disk.readFile(file)
  } catch {
    return NO_RULES
  }
}
