/** Temperatures of thermal zones and the state of cooling devices. */
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { openDirectory, readNumber, readTrimmed } from './files.ts'

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
        const read = (file: string): number | null => readNumber(disk, `${base}/${name}/${file}`)
        if (kind === 'thermal_zone') {
          const temperature = read('temp')
          if (temperature === null) continue
          const labels = ['type', type, 'zone', number]
          out.gauge('thermal_zone_temp', 'Zone temperature in Celsius', labels, temperature / MILLI)
        } else if (kind === 'cooling_device') {
          const labels = ['name', number, 'type', type]
          const current = read('cur_state')
          const max = read('max_state')
          const help = 'throttle state of the cooling device'
          if (current !== null) out.gauge('cooling_device_cur_state', `Current ${help}`, labels, current)
          if (max !== null) out.gauge('cooling_device_max_state', `Maximum ${help}`, labels, max)
        }
      }
      return out.list()
    },
  }
}
