/** The system clock, its zone, and the kernel's clock sources. */
import type { Metric, MetricFamily } from '../../protocol/exposition/mod.ts'
import { type Collector, family, type NodeContext, single } from './collector.ts'
import { readOptional } from './files.ts'

export function timeCollector({ clock, disk, sysfs }: NodeContext): Collector {
  // Made once: it loads the rules of every zone.
  const zone = new Intl.DateTimeFormat('en', { timeZoneName: 'short' })
  return {
    name: 'time',
    update() {
      const now = clock.now()
      const date = new Date(now)
      // Zero without its sign: the runtime says -0 for UTC.
      const offset = 0 - date.getTimezoneOffset() * 60 || 0
      const out: MetricFamily[] = [
        single('gauge', 'time_seconds', 'System time in seconds since epoch (1970).', now / 1000),
        family('gauge', 'time_zone_offset_seconds', 'System time zone offset in seconds.', [
          { labels: ['time_zone', zoneName(zone, date)], value: offset },
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

/** The abbreviation where the runtime has one (`CET`, `UTC`), else its offset (`GMT+2`). */
function zoneName(format: Intl.DateTimeFormat, date: Date): string {
  return format.formatToParts(date).find(({ type }) => type === 'timeZoneName')?.value ?? 'UTC'
}
