/** Interrupts by CPU and line. */
import { booleanFlag, stringFlag } from '../contract.ts'
import { type Collector, FamilySet, type NodeContext, nameFilter } from './collector.ts'
import { lines, numberOf, words } from './files.ts'

export function interruptsCollector({ disk, procfs, flags }: NodeContext): Collector {
  const file = `${procfs}/interrupts`
  /** Matched against `type;info;devices`. */
  const wanted = nameFilter(
    stringFlag(flags, 'collector.interrupts.name-include', ''),
    stringFlag(flags, 'collector.interrupts.name-exclude', ''),
  )
  const withZeros = booleanFlag(flags, 'collector.interrupts.include-zeros', true)
  return {
    name: 'interrupts',
    update() {
      const [header = '', ...rows] = lines(disk.readText(file))
      const cpus = words(header).map((name) => name.replace(/^CPU/, ''))
      const out = new FamilySet()
      for (const row of rows) {
        const fields = words(row)
        // ERR and MIS have one total and no CPUs.
        if (fields.length < cpus.length + 2) continue
        const type = fields[0]!.replace(/:$/, '')
        const rest = fields.slice(cpus.length + 1)
        const numbered = /^\d+$/.test(type)
        const info = numbered ? rest[0]! : rest.join(' ')
        const devices = numbered ? rest.slice(1).join(' ') : ''
        if (!wanted(`${type};${info};${devices}`)) continue
        cpus.forEach((cpu, i) => {
          const value = numberOf(fields[i + 1], file)
          if (value === 0 && !withZeros) return
          const labels = ['cpu', cpu, 'devices', devices, 'info', info, 'type', type]
          out.counter('interrupts_total', 'Interrupt details.', labels, value)
        })
      }
      return out.list()
    },
  }
}
