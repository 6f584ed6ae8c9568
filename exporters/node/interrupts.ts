/** Interrupts by CPU and line. */
import { readGoFloat } from '../../protocol/exposition/mod.ts'
import { booleanFlag, stringFlag } from '../contract.ts'
import { type Collector, FamilySet, type NodeContext, nameFilter } from './collector.ts'
import { scanLines, words } from './files.ts'

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
      const [header, ...rows] = scanLines(disk.readText(file))
      if (header === undefined) throw new Error(`Cannot read ${file}: it is empty`)
      const cpuCount = words(header).length
      const byType = new Map<string, { readonly values: readonly string[]; readonly rest: readonly string[] }>()
      for (const row of rows) {
        // On ARM a number may follow the colon without a space.
        const colon = row.indexOf(':')
        if (colon < 0) continue
        const fields = words(row.slice(colon + 1))
        // ERR and MIS have one total and no CPUs.
        if (fields.length < cpuCount + 1) continue
        const type = row.slice(0, colon).replace(/^ +/, '')
        byType.set(type, { values: fields.slice(0, cpuCount), rest: fields.slice(cpuCount) })
      }
      const out = new FamilySet()
      for (const [type, { values, rest }] of byType) {
        const numbered = /^[+-]?\d{1,18}$/.test(type)
        const info = numbered ? rest[0]! : rest.join(' ')
        const devices = numbered ? rest.slice(1).join(' ') : ''
        if (!wanted(`${type};${info};${devices}`)) continue
        values.forEach((text, cpu) => {
          const value = readGoFloat(text)
          if (typeof value === 'string') throw new Error(`Cannot read ${file}: number expected, got "${text}"`)
          if (value === 0 && !withZeros) return
          const labels = ['cpu', String(cpu), 'devices', devices, 'info', info, 'type', type]
          out.counter('interrupts_total', 'Interrupt details.', labels, value)
        })
      }
      return out.list()
    },
  }
}
