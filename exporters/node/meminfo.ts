/** Every field of /proc/meminfo, in bytes where the kernel counts kilobytes. */
import type { Collector, NodeContext } from './collector.ts'
import { single } from './collector.ts'

export function meminfoCollector({ disk, procfs }: NodeContext): Collector {
  return {
    name: 'meminfo',
    update() {
      const families = []
      for (const line of disk.readText(`${procfs}/meminfo`).split('\n')) {
        const match = /^([^:]+):\s+(\d+)(?:\s+(kB))?\s*$/.exec(line)
        if (!match) continue
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
