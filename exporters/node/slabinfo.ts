/** The kernel's slab caches; /proc/slabinfo is readable by root only. */
import { stringFlag } from '../contract.ts'
import { type Collector, FamilySet, type NodeContext, nameFilter } from './collector.ts'
import { intOf, scanLines } from './files.ts'

/** In the order of the file, after the name. */
const COLUMNS: readonly (readonly [name: string, help: string])[] = [
  ['active_objects', 'The number of objects that are currently active (i.e., in use).'],
  ['objects', 'The total number of allocated objects (i.e., objects that are both in use and not in use).'],
  ['object_size_bytes', 'The size of objects in this slab, in bytes.'],
  ['objects_per_slab', 'The number of objects stored in each slab.'],
  ['pages_per_slab', 'The number of pages allocated for each slab.'],
]

/** With the colons and headings in between. */
const FIELD_COUNT = 16
/** Numbers of `tunables` and `slabdata`. */
const UNSHOWN = [8, 9, 10, 13, 14, 15]

export function slabinfoCollector({ disk, procfs, flags }: NodeContext): Collector {
  const file = `${procfs}/slabinfo`
  const wanted = nameFilter(
    stringFlag(flags, 'collector.slabinfo.slabs-include', ''),
    stringFlag(flags, 'collector.slabinfo.slabs-exclude', ''),
  )
  return {
    name: 'slabinfo',
    update() {
      const out = new FamilySet()
      for (const line of scanLines(disk.readText(file))) {
        if (/slabinfo -|# name/.test(line)) continue
        const fields = line.split(/\s+/)
        const [slab = '', ...values] = fields
        if (fields.length !== FIELD_COUNT)
          throw new Error(`Cannot read ${file}: ${FIELD_COUNT} fields expected, got "${line}"`)
        for (const i of UNSHOWN) intOf(fields[i], file)
        if (!wanted(slab)) continue
        COLUMNS.forEach(([name, help], i) => {
          out.gauge(`slabinfo_${name}`, help, ['slab', slab], intOf(values[i], file))
        })
      }
      return out.list()
    },
  }
}
