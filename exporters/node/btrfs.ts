/** File systems of Btrfs from sysfs. Errors by device would need an ioctl that the runtime lacks. */
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { listDirectory, openDirectory, readNumber, readOptional, readTrimmed } from './files.ts'

const SECTOR_BYTES = 512
const MS = 1000
const BLOCK_GROUPS = ['data', 'metadata', 'system'] as const

export function btrfsCollector({ disk, sysfs }: NodeContext): Collector {
  const base = `${sysfs}/fs/btrfs`
  return {
    name: 'btrfs',
    update() {
      const out = new FamilySet()
      for (const uuid of listDirectory(disk, base))
        if (/^[0-9a-f]+-/.test(uuid)) fileSystem(disk, out, `${base}/${uuid}`, uuid)
      return out.list()
    },
  }
}

type Disk = NodeContext['disk']

function fileSystem(disk: Disk, out: FamilySet, folder: string, uuid: string): void {
  const labels = ['uuid', uuid]
  const label = readTrimmed(disk, `${folder}/label`) ?? ''
  out.gauge('btrfs_info', 'Filesystem information', ['label', label, 'uuid', uuid])
  const reserve = readNumber(disk, `${folder}/allocation/global_rsv_size`) ?? 0
  out.gauge('btrfs_global_rsv_size_bytes', 'Size of global reserve.', labels, reserve)
  commits(disk, out, folder, labels)
  const devices = openDirectory(disk, `${folder}/devices`) ?? []
  for (const group of BLOCK_GROUPS) allocation(disk, out, `${folder}/allocation/${group}`, group, uuid, devices.length)
  for (const device of devices) {
    const sectors = readNumber(disk, `${folder}/devices/${device}/size`)
    if (sectors === null) continue
    const help = 'Size of a device that is part of the filesystem.'
    out.gauge('btrfs_device_size_bytes', help, ['device', device, 'uuid', uuid], sectors * SECTOR_BYTES)
  }
}

/** Absent before Linux 6.0: zeros, as upstream. */
function commits(disk: Disk, out: FamilySet, folder: string, labels: readonly string[]): void {
  const text = readOptional(disk, `${folder}/commit_stats`) ?? ''
  const get = (key: string): number => Number(new RegExp(`^${key} (\\d+)`, 'm').exec(text)?.[1] ?? 0)
  out.counter('btrfs_commits_total', 'The total number of commits that have occurred.', labels, get('commits'))
  out.gauge(
    'btrfs_last_commit_seconds',
    'Duration of the most recent commit, in seconds.',
    labels,
    get('last_commit_ms') / MS,
  )
  out.gauge(
    'btrfs_max_commit_seconds',
    'Duration of the slowest commit, in seconds.',
    labels,
    get('max_commit_ms') / MS,
  )
  const total = get('total_commit_ms') / MS
  out.counter('btrfs_commit_seconds_total', 'Sum of the duration of all commits, in seconds.', labels, total)
}

function allocation(disk: Disk, out: FamilySet, folder: string, group: string, uuid: string, devices: number): void {
  const reserved = readNumber(disk, `${folder}/bytes_reserved`)
  if (reserved === null) return
  const help = 'Amount of space reserved for a data type'
  out.gauge('btrfs_reserved_bytes', help, ['block_group_type', group, 'uuid', uuid], reserved)
  for (const mode of listDirectory(disk, folder)) {
    const total = readNumber(disk, `${folder}/${mode}/total_bytes`)
    const used = readNumber(disk, `${folder}/${mode}/used_bytes`)
    if (total === null || used === null) continue
    const labels = ['block_group_type', group, 'mode', mode, 'uuid', uuid]
    out.gauge('btrfs_used_bytes', 'Amount of used space by a layout/data type', labels, used)
    out.gauge('btrfs_size_bytes', 'Amount of space allocated for a layout/data type', labels, total)
    const ratio = allocationRatio(mode, devices)
    out.gauge('btrfs_allocation_ratio', 'Data allocation ratio for a layout/data type', labels, ratio)
  }
}

/** Bytes on disk for each byte of data. */
function allocationRatio(mode: string, devices: number): number {
  if (mode === 'dup' || mode === 'raid1' || mode === 'raid10') return 2
  if (mode === 'raid1c3') return 3
  if (mode === 'raid1c4') return 4
  if (mode === 'raid5') return devices / (devices - 1)
  if (mode === 'raid6') return devices / (devices - 2)
  return 1
}
