/** Fields of /proc/meminfo, in bytes where the kernel counts kilobytes. */
import type { Collector, NodeContext } from './collector.ts'
import { single } from './collector.ts'

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
      for (const line of disk.readText(`${procfs}/meminfo`).split('\n')) {
        const match = /^([^:]+):\s+(\d+)(?:\s+(kB))?\s*$/.exec(line)
        if (!match || !FIELDS.has(match[1]!)) continue
        // `Active(anon)` becomes `Active_anon`.
        const base = match[1]!.replace(/\((.*)\)/, '_$1')
        const name = match[3] ? `${base}_bytes` : base
        families.push(
          single(
            'gauge',
            `memory_${name}`,
            `Memory information field ${name}.`,
            Number(match[2]) * (match[3] ? 1024 : 1),
          ),
        )
      }
      return families
    },
  }
}
