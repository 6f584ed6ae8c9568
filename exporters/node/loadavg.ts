/** Load averages of /proc/loadavg. */
import { type Collector, type NodeContext, single } from './collector.ts'
import { floatOf, words } from './files.ts'

export function loadavgCollector({ disk, procfs }: NodeContext): Collector {
  return {
    name: 'loadavg',
    update() {
      const file = `${procfs}/loadavg`
      const fields = words(disk.readText(file))
      return ['1', '5', '15'].map((minutes, i) =>
        single('gauge', `load${minutes}`, `${minutes}m load average.`, floatOf(fields[i], file)),
      )
    },
  }
}
