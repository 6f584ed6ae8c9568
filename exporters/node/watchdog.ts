/** Watchdog timers. */
import { readIntLiteral } from './attributes.ts'
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { openDirectory, readTrimmed } from './files.ts'

const NUMBERS: readonly (readonly [file: string, name: string])[] = [
  ['access_cs0', 'access_cs0'],
  ['bootstatus', 'bootstatus'],
  ['fw_version', 'fw_version'],
  ['nowayout', 'nowayout'],
  ['pretimeout', 'pretimeout_seconds'],
  ['timeleft', 'timeleft_seconds'],
  ['timeout', 'timeout_seconds'],
]

export function watchdogCollector({ disk, sysfs }: NodeContext): Collector {
  const base = `${sysfs}/class/watchdog`
  return {
    name: 'watchdog',
    update() {
      const names = openDirectory(disk, base)
      if (names === null) throw new NoDataError('no watchdog')
      const out = new FamilySet()
      for (const name of names) {
        const present = new Set(openDirectory(disk, `${base}/${name}`) ?? [])
        const read = (file: string): string =>
          (present.has(file) ? readTrimmed(disk, `${base}/${name}/${file}`) : null) ?? ''
        out.gauge('watchdog_info', 'Info of /sys/class/watchdog/<watchdog>', [
          ...['identity', read('identity'), 'name', name, 'options', read('options')],
          ...['pretimeout_governor', read('pretimeout_governor'), 'state', read('state'), 'status', read('status')],
        ])
        for (const [file, metric] of NUMBERS) {
          const value = present.has(file) ? readIntLiteral(disk, `${base}/${name}/${file}`) : null
          if (value === null) continue
          out.gauge(`watchdog_${metric}`, `Value of /sys/class/watchdog/<watchdog>/${file}`, ['name', name], value)
        }
      }
      return out.list()
    },
  }
}
