/** Memory and allocations of each NUMA node. */
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { lines, numberOf, openDirectory, words } from './files.ts'

const KIB = 1024

export function meminfoNumaCollector({ disk, sysfs }: NodeContext): Collector {
  const base = `${sysfs}/devices/system/node`
  return {
    name: 'meminfo_numa',
    update() {
      const names = openDirectory(disk, base)
      if (names === null) throw new NoDataError('the kernel has no NUMA')
      const out = new FamilySet()
      for (const name of names) {
        const node = /^node(\d+)$/.exec(name)?.[1]
        if (node === undefined) continue
        memory(out, disk.readText(`${base}/${name}/meminfo`), node)
        allocations(out, disk.readText(`${base}/${name}/numastat`), node)
      }
      return out.list()
    },
  }
}

/** `Node 0 Active(anon):     691324 kB`. */
function memory(out: FamilySet, text: string, node: string): void {
  for (const line of lines(text)) {
    const match = /^Node\s+\d+\s+([^:]+):\s+(\d+)(\s+kB)?\s*$/.exec(line)
    if (!match) continue
    const name = match[1]!.replace(/\((.*)\)/, '_$1')
    const value = Number(match[2]) * (match[3] ? KIB : 1)
    out.gauge(`memory_numa_${name}`, `Memory information field ${name}.`, ['node', node], value)
  }
}

function allocations(out: FamilySet, text: string, node: string): void {
  for (const line of lines(text)) {
    const [field = '', value] = words(line)
    const name = `${field}_total`
    out.counter(`memory_numa_${name}`, `Memory information field ${name}.`, ['node', node], numberOf(value, 'numastat'))
  }
}
