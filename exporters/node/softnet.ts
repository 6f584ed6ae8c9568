/** Packets that the kernel's receive path processed on each CPU. */
import type { FamilyType } from '../../protocol/exposition/mod.ts'
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { scanLines, uintOf, words } from './files.ts'

const COLUMNS: readonly (readonly [at: number, type: FamilyType, name: string, help: string])[] = [
  [0, 'counter', 'processed_total', 'Number of processed packets'],
  [1, 'counter', 'dropped_total', 'Number of dropped packets'],
  [2, 'counter', 'times_squeezed_total', 'Number of times processing packets ran out of quota'],
  [8, 'counter', 'cpu_collision_total', 'Number of collision occur while obtaining device lock while transmitting'],
  [9, 'counter', 'received_rps_total', 'Number of times cpu woken up received_rps'],
  [10, 'counter', 'flow_limit_count_total', 'Number of times flow limit has been reached'],
  [11, 'gauge', 'backlog_len', 'Softnet backlog status'],
]
/** Since Linux 5.14 lines name their CPU; before, those that are off have no line. */
const CPU = 12
const MIN_COLUMNS = 9

export function softnetCollector({ disk, procfs }: NodeContext): Collector {
  return {
    name: 'softnet',
    update() {
      const out = new FamilySet()
      const file = `${procfs}/net/softnet_stat`
      scanLines(disk.readText(file)).forEach((line, i) => {
        const columns = words(line).slice(0, CPU + 1)
        // The last two have come together.
        const values = columns
          .slice(0, columns.length === CPU ? CPU - 1 : CPU + 1)
          .map((value) => uintOf(value, file, 16))
        if (values.length < MIN_COLUMNS || values.some((value) => value >= 2 ** 32))
          throw new Error(`Cannot read ${file}: at least ${MIN_COLUMNS} columns of 32 bits expected, got "${line}"`)
        const labels = ['cpu', String(values[CPU] ?? i)]
        // Columns that an old kernel lacks are zero, as upstream.
        for (const [at, type, name, help] of COLUMNS) out.add(type, `softnet_${name}`, help, labels, values[at] ?? 0)
      })
      return out.list()
    },
  }
}
