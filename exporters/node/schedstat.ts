/** Time that processes ran and waited on each CPU. */
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { lines, readOptional } from './files.ts'

const NS = 1e9
const CPU = /cpu(\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)/

export function schedstatCollector({ disk, procfs }: NodeContext): Collector {
  const file = `${procfs}/schedstat`
  return {
    name: 'schedstat',
    update() {
      const text = readOptional(disk, file)
      if (text === null) throw new NoDataError('the kernel was built without schedstat')
      const out = new FamilySet()
      for (const line of lines(text)) {
        // Lines of another make are passed over, as upstream.
        const [, cpu, ...fields] = CPU.exec(line) ?? []
        if (cpu === undefined || fields.slice(6).some((field) => Number(field) >= 2 ** 64)) continue
        const put = (name: string, help: string, at: number, divisor: number): void =>
          out.counter(`schedstat_${name}`, help, ['cpu', cpu], Number(fields[at - 1]) / divisor)
        put('running_seconds_total', 'Number of seconds CPU spent running a process.', 7, NS)
        put('waiting_seconds_total', 'Number of seconds spent by processing waiting for this CPU.', 8, NS)
        put('timeslices_total', 'Number of timeslices executed by CPU.', 9, 1)
      }
      return out.list()
    },
  }
}
