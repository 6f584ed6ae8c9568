/** Fields of /proc/meminfo, in bytes where the kernel counts kilobytes. */
import { uintLiteral } from './attributes.ts'
import type { Collector, NodeContext } from './collector.ts'
import { single } from './collector.ts'
import { lines, words } from './files.ts'

/** Those that upstream shows; a kernel has a few more (KReclaimable, FileHugePages, Hugetlb, Balloon…). */
const FIELDS = new Set([
  ...['MemTotal', 'MemFree', 'MemAvailable', 'Buffers', 'Cached', 'SwapCached', 'Active', 'Inactive'],
  ...['Active(anon)', 'Inactive(anon)', 'Active(file)', 'Inactive(file)', 'Unevictable', 'Mlocked', 'SwapTotal'],
  ...['SwapFree', 'Zswap', 'Zswapped', 'Dirty', 'Writeback', 'AnonPages', 'Mapped', 'Shmem', 'Slab', 'SReclaimable'],
  ...['SUnreclaim', 'KernelStack', 'PageTables', 'NFS_Unstable', 'Bounce', 'WritebackTmp', 'CommitLimit'],
  ...['Committed_AS', 'VmallocTotal', 'VmallocUsed', 'VmallocChunk', 'Percpu', 'HardwareCorrupted', 'AnonHugePages'],
  ...['ShmemHugePages', 'ShmemPmdMapped', 'CmaTotal', 'CmaFree', 'HugePages_Total', 'HugePages_Free'],
  ...['HugePages_Rsvd', 'HugePages_Surp', 'Hugepagesize', 'DirectMap4k', 'DirectMap2M', 'DirectMap1G'],
])

export function meminfoCollector({ disk, procfs }: NodeContext): Collector {
  return {
    name: 'meminfo',
    update() {
      const families = []
      const file = `${procfs}/meminfo`
      for (const line of lines(disk.readText(file))) {
        const [field = '', value, unit, more] = words(line)
        const number = uintLiteral(value ?? '', file)
        if ((unit ?? 'kB') !== 'kB' || more !== undefined) throw new Error(`Cannot read ${file}: "${line}"`)
        if (!field.endsWith(':') || !FIELDS.has(field.slice(0, -1))) continue
        // `Active(anon)` becomes `Active_anon`.
        const base = field.replace(/\((.*)\)/, '_$1').replace(/:$/, '')
        // Numbers of pages have no unit.
        const isCount = base.startsWith('HugePages_')
        const name = isCount ? base : `${base}_bytes`
        families.push(
          single(
            'gauge',
            `memory_${name}`,
            `Memory information field ${name}.`,
            number * (unit === undefined || isCount ? 1 : 1024),
          ),
        )
      }
      return families
    },
  }
}
