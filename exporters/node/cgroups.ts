/** Control groups by subsystem. */
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { lines, numberOf, words } from './files.ts'

/** Upstream gives both families this text. */
const HELP = 'Current cgroup number of the subsystem.'

export function cgroupsCollector({ disk, procfs }: NodeContext): Collector {
  const file = `${procfs}/cgroups`
  return {
    name: 'cgroups',
    update() {
      const out = new FamilySet()
      for (const line of lines(disk.readText(file))) {
        if (line.startsWith('#')) continue
        const [subsystem = '', , count, enabled] = words(line)
        out.gauge('cgroups_cgroups', HELP, ['subsys_name', subsystem], numberOf(count, file))
        out.gauge('cgroups_enabled', HELP, ['subsys_name', subsystem], numberOf(enabled, file))
      }
      return out.list()
    },
  }
}
