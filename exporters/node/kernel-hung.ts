/** Tasks that the kernel found hanging. */
import { type Collector, NoDataError, type NodeContext, single } from './collector.ts'
import { readOptional, uintOf } from './files.ts'

export function kernelHungCollector({ disk, procfs }: NodeContext): Collector {
  return {
    name: 'kernel_hung',
    update() {
      const file = `${procfs}/sys/kernel/hung_task_detect_count`
      const text = readOptional(disk, file)
      if (text === null) throw new NoDataError('the kernel does not count hung tasks (Linux 6.14 and later do)')
      const help = 'Total number of tasks that have been detected as hung since the system booted.'
      return [single('counter', 'kernel_hung_tasks_total', help, uintOf(text.trim(), file))]
    },
  }
}
