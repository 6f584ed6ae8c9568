/** Control groups by subsystem. */
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { intOf, scanLines, words } from './files.ts'

/** Upstream gives both families this text. */
const HELP = 'Current cgroup number of the subsystem.'

export function cgroupsCollector({ disk, procfs }: NodeContext): Collector {
  const file = `${procfs}/cgroups`
  return {
    name: 'cgroups',
    update() {
      const out = new FamilySet()
      for (const line of scanLines(disk.readText(file))) {
        if (line.startsWith('#')) continue
        const fields = words(line)
        if (fields.length < 4) throw new Error(`Cannot read ${file}: four fields expected, got "${line}"`)
        const [subsystem = '', hierarchy, count, enabled] = fields
        intOf(hierarchy, file)
        out.gauge('cgroups_cgroups', HELP, ['subsys_name', subsystem], intOf(count, file))
        out.gauge('cgroups_enabled', HELP, ['subsys_name', subsystem], intOf(enabled, file))
      }
      return out.list()
    },
  }
}
