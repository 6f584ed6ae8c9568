/** Chosen fields of /proc/vmstat. */
import { stringFlag } from '../contract.ts'
import { type Collector, fieldFilter, type NodeContext, single } from './collector.ts'
import { floatOf, lines, words } from './files.ts'

const DEFAULT_FIELDS = '^(oom_kill|pgpg|pswp|pg.*fault).*'

export function vmstatCollector({ disk, procfs, flags }: NodeContext): Collector {
  const wanted = fieldFilter(stringFlag(flags, 'collector.vmstat.fields', DEFAULT_FIELDS))
  return {
    name: 'vmstat',
    update() {
      const file = `${procfs}/vmstat`
      const fields = lines(disk.readText(file)).map((line): readonly [name: string, value: number] => {
        const [name = '', value] = words(line)
        return [name, floatOf(value, file)]
      })
      return fields
        .filter(([name]) => wanted(name))
        .map(([name, value]) => single('untyped', `vmstat_${name}`, `/proc/vmstat information field ${name}.`, value))
    },
  }
}
