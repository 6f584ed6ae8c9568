/** The system's name, as the uname system call gives it, from where the kernel shows the same strings. */
import { type Collector, family, type NodeContext } from './collector.ts'

const FIELDS: readonly (readonly [label: string, file: string])[] = [
  ['domainname', 'domainname'],
  ['machine', 'arch'],
  ['nodename', 'hostname'],
  ['release', 'osrelease'],
  ['sysname', 'ostype'],
  ['version', 'version'],
]

export function unameCollector({ disk, procfs }: NodeContext): Collector {
  return {
    name: 'uname',
    update() {
      const labels = FIELDS.flatMap(([label, file]) => [label, disk.readText(`${procfs}/sys/kernel/${file}`).trim()])
      return [
        family('gauge', 'uname_info', 'Labeled system information as provided by the uname system call.', [
          { labels, value: 1 },
        ]),
      ]
    },
  }
}
