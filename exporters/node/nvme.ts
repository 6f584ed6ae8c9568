/** NVMe controllers and their namespaces. */
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { listDirectory, openDirectory, readTrimmed } from './files.ts'

export function nvmeCollector({ disk, sysfs }: NodeContext): Collector {
  const base = `${sysfs}/class/nvme`
  return {
    name: 'nvme',
    update() {
      const devices = openDirectory(disk, base)
      if (devices === null) throw new NoDataError('no NVMe controller')
      const out = new FamilySet()
      for (const device of devices) {
        const folder = `${base}/${device}`
        const read = (file: string): string => readTrimmed(disk, `${folder}/${file}`) ?? ''
        out.gauge('nvme_info', 'Non-numeric data from /sys/class/nvme/<device>, value is always 1.', [
          ...['cntlid', read('cntlid'), 'device', device, 'firmware_revision', read('firmware_rev')],
          ...['model', read('model'), 'serial', read('serial'), 'state', read('state')],
        ])
        for (const name of listDirectory(disk, folder)) {
          const nsid = /^nvme\d+(?:c\d+)?n(\d+)$/.exec(name)?.[1]
          if (nsid !== undefined) namespace(disk, out, `${folder}/${name}`, device, nsid)
        }
      }
      return out.list()
    },
  }
}

function namespace(disk: NodeContext['disk'], out: FamilySet, folder: string, device: string, nsid: string): void {
  const labels = ['device', device, 'nsid', nsid]
  const state = readTrimmed(disk, `${folder}/ana_state`) ?? 'unknown'
  const help = 'Information about NVMe namespaces. Value is always 1'
  out.gauge('nvme_namespace_info', help, ['ana_state', state, ...labels])
  // What is no number is 0, as upstream.
  const number = (file: string): number | null => {
    const text = readTrimmed(disk, `${folder}/${file}`)
    return text === null ? null : /^\d+$/.test(text) && Number(text) < 2 ** 64 ? Number(text) : 0
  }
  const block = number('queue/logical_block_size')
  const size = number('size')
  if (block === null || size === null) return
  const where = 'Available in /sys/class/nvme/<device>/<namespace>'
  out.gauge(
    'nvme_namespace_capacity_bytes',
    'Capacity of the NVMe namespace in bytes. Computed as namespace_size * namespace_logical_block_size',
    labels,
    size * block,
  )
  out.gauge('nvme_namespace_size_bytes', `Size of the NVMe namespace in bytes. ${where}/size`, labels, size * block)
  // Kernels before 6.8 do not tell.
  const used = number('nuse')
  if (used !== null) {
    const usedHelp = `Used space of the NVMe namespace in bytes. ${where}/nuse`
    out.gauge('nvme_namespace_used_bytes', usedHelp, labels, used * block)
  }
  out.gauge(
    'nvme_namespace_logical_block_size_bytes',
    `Logical block size of the NVMe namespace in bytes. Usually 4Kb. ${where}/queue/logical_block_size`,
    labels,
    block,
  )
}
