/** Chosen fields of /proc/vmstat. */
import { stringFlag } from '../contract.ts'
import { type Collector, fieldFilter, type NodeContext, single } from './collector.ts'

const DEFAULT_FIELDS = '^(oom_kill|pgpg|pswp|pg.*fault).*'

export function vmstatCollector({ disk, procfs, flags }: NodeContext): Collector {
  const wanted = fieldFilter(stringFlag(flags, 'collector.vmstat.fields', DEFAULT_FIELDS))
  return {
    name: 'vmstat',
    update() {
      return disk
        .readText(`${procfs}/vmstat`)
        .split('\n')
        .map((line) => line.split(' '))
        .filter(([name = '']) => name !== '' && wanted(name))
        .map(([name, value]) =>
          single('untyped', `vmstat_${name}`, `/proc/vmstat information field ${name}.`, Number(value)),
        )
    },
  }
}
