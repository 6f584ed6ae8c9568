/** Temperatures of thermal zones and the state of cooling devices. */
import { readInt } from './attributes.ts'
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { openDirectory, parseNumber, readTrimmed } from './files.ts'

const MILLI = 1000

export function thermalZoneCollector({ disk, sysfs }: NodeContext): Collector {
  const base = `${sysfs}/class/thermal`
  return {
    name: 'thermal_zone',
    update() {
      const names = openDirectory(disk, base)
      if (names === null) throw new NoDataError('no thermal zone')
      const out = new FamilySet()
      for (const name of names) {
        const [, kind, number = ''] = /^(thermal_zone|cooling_device)(\d+)$/.exec(name) ?? []
        const type = readTrimmed(disk, `${base}/${name}/type`) ?? ''
        if (kind === 'thermal_zone') {
          const text = readTrimmed(disk, `${base}/${name}/temp`)
          if (text === null) continue
          // A zone that is off says so in words: 0 then, as upstream.
          const temperature = /^[+-]?\d+$/.test(text) ? parseNumber(text)! : 0
          const labels = ['type', type, 'zone', number]
          out.gauge('thermal_zone_temp', 'Zone temperature in Celsius', labels, temperature / MILLI)
        } else if (kind === 'cooling_device') {
          const labels = ['name', number, 'type', type]
          const current = readInt(disk, `${base}/${name}/cur_state`)
          const max = readInt(disk, `${base}/${name}/max_state`)
          const help = 'throttle state of the cooling device'
          if (current === null || max === null) continue
          out.gauge('cooling_device_cur_state', `Current ${help}`, labels, current)
          out.gauge('cooling_device_max_state', `Maximum ${help}`, labels, max)
        }
      }
      return out.list()
    },
  }
}
