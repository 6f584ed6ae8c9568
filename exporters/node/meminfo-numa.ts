/** Memory and allocations of each NUMA node. */
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { floatOf, lines, openDirectory, words } from './files.ts'

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
        memory(out, disk, `${base}/${name}/meminfo`)
        allocations(out, disk, `${base}/${name}/numastat`, node)
      }
      return out.list()
    },
  }
}

/** `Node 0 Active(anon):     691324 kB`. */
function memory(out: FamilySet, disk: NodeContext['disk'], file: string): void {
  for (const line of lines(disk.readText(file))) {
    const [, node, field, text, unit, ...rest] = words(line)
    const value = floatOf(text, file)
    if ((unit !== undefined && unit !== 'kB') || rest.length > 0)
      throw new Error(`Cannot read ${file}: "Node N NAME: NUMBER kB" expected, got "${line}"`)
    const name = field!.replace(/:+$/, '').replace(/\((.*)\)/, '_$1')
    const help = `Memory information field ${name}.`
    out.gauge(`memory_numa_${name}`, help, ['node', node!], value * (unit === undefined ? 1 : KIB))
  }
}

function allocations(out: FamilySet, disk: NodeContext['disk'], file: string, node: string): void {
  for (const line of lines(disk.readText(file))) {
    const [field, text, ...rest] = words(line)
    if (rest.length > 0) throw new Error(`Cannot read ${file}: "NAME NUMBER" expected, got "${line}"`)
    const name = `${field}_total`
    out.counter(`memory_numa_${name}`, `Memory information field ${name}.`, ['node', node], floatOf(text, file))
  }
}
