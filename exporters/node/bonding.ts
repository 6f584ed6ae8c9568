/** Slaves of bonded network interfaces. */
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { readOptional, readTrimmed, words } from './files.ts'

export function bondingCollector({ disk, sysfs }: NodeContext): Collector {
  const base = `${sysfs}/class/net`
  return {
    name: 'bonding',
    update() {
      const masters = readOptional(disk, `${base}/bonding_masters`)
      if (masters === null) throw new NoDataError('no bonding interface: the bonding module is not loaded')
      const out = new FamilySet()
      for (const master of words(masters)) {
        const slaves = words(disk.readText(`${base}/${master}/bonding/slaves`))
        const active = slaves.filter((slave) => isUp(disk, `${base}/${master}`, slave)).length
        const labels = ['master', master]
        out.gauge('bonding_slaves', 'Number of configured slaves per bonding interface.', labels, slaves.length)
        out.gauge('bonding_active', 'Number of active slaves per bonding interface.', labels, active)
      }
      return out.list()
    },
  }
}

/** Kernels before 3.16 call the link `slave_NAME`. */
function isUp(disk: NodeContext['disk'], master: string, slave: string): boolean {
  const status =
    readTrimmed(disk, `${master}/lower_${slave}/bonding_slave/mii_status`) ??
    readTrimmed(disk, `${master}/slave_${slave}/bonding_slave/mii_status`)
  if (status === null) throw new Error(`Cannot read ${master}/lower_${slave}/bonding_slave/mii_status`)
  return status === 'up'
}
