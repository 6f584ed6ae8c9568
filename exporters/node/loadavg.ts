/** Load averages of /proc/loadavg. */
import { type Collector, type NodeContext, single } from './collector.ts'

export function loadavgCollector({ disk, procfs }: NodeContext): Collector {
  return {
    name: 'loadavg',
    update() {
      const fields = disk.readText(`${procfs}/loadavg`).split(' ').slice(0, 3).map(Number)
      if (fields.length < 3 || fields.some(Number.isNaN))
        throw new Error(`Cannot read ${procfs}/loadavg: three numbers expected`)
      return ['1', '5', '15'].map((minutes, i) =>
        single('gauge', `load${minutes}`, `${minutes}m load average.`, fields[i]!),
      )
    },
  }
}
