/** Energy that the CPU's zones used. */
import { booleanFlag } from '../contract.ts'
import { readUint } from './attributes.ts'
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { openDirectory, readTrimmed, uintOf } from './files.ts'

const MICRO = 1e6

export function raplCollector({ disk, sysfs, flags }: NodeContext): Collector {
  const base = `${sysfs}/class/powercap`
  const withZone = booleanFlag(flags, 'collector.rapl.enable-zone-label', false)
  return {
    name: 'rapl',
    update() {
      const names = openDirectory(disk, base)
      if (names === null) throw new NoDataError('no energy counters (powercap)')
      const out = new FamilySet()
      const usages = new Map<string, number>()
      for (const folder of names) {
        if (!folder.startsWith('intel-rapl:')) continue
        const path = `${base}/${folder}`
        const given = readTrimmed(disk, `${path}/name`)
        if (given === null) continue
        readUint(disk, `${path}/max_energy_range_uj`)
        const { name, index } = nameAndIndex(given, usages)
        // Readable by root only since Linux 5.10: the error of the collector says so.
        const joules = uintOf(disk.readText(`${path}/energy_uj`).trim(), `${path}/energy_uj`) / MICRO
        const zone = name.replace(/_*[^a-zA-Z0-9_]+_*/g, '_')
        const labels = ['index', String(index), 'path', path]
        if (withZone)
          out.counter('rapl_joules_total', 'Current RAPL value in joules', [...labels, 'rapl_zone', zone], joules)
        else out.counter(`rapl_${zone}_joules_total`, `Current RAPL ${zone} value in joules`, labels, joules)
      }
      return out.list()
    },
  }
}

/** `package-1` is the second package; names without a number are counted. */
function nameAndIndex(given: string, usages: Map<string, number>): { readonly name: string; readonly index: number } {
  const match = /^([^-]*)-(\+?\d{1,18})$/.exec(given)
  if (match) return { name: match[1]!, index: Number(match[2]) }
  const index = usages.get(given) ?? 0
  usages.set(given, index + 1)
  return { name: given, index }
}
