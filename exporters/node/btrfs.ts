/** File systems of Btrfs from sysfs. Errors by device would need an ioctl that the runtime lacks. */
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { listDirectory, openDirectory, readOptional, readTrimmed, scanLines, uintOf, words } from './files.ts'

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
        if (uuid.includes('-'))
          fileSystem(disk, out, `${base}/${uuid}`, readTrimmed(disk, `${base}/${uuid}/metadata_uuid`) || uuid)
      return out.list()
    },
  }
}

type Disk = NodeContext['disk']

function fileSystem(disk: Disk, out: FamilySet, folder: string, uuid: string): void {
  const labels = ['uuid', uuid]
  const label = readTrimmed(disk, `${folder}/label`) ?? ''
  out.gauge('btrfs_info', 'Filesystem information', ['label', label, 'uuid', uuid])
  const reserve = byteCount(disk, `${folder}/allocation/global_rsv_size`)
  out.gauge('btrfs_global_rsv_size_bytes', 'Size of global reserve.', labels, reserve)
  commits(disk, out, folder, labels)
  const devices = openDirectory(disk, `${folder}/devices`) ?? []
  for (const group of BLOCK_GROUPS) allocation(disk, out, `${folder}/allocation/${group}`, group, uuid, devices.length)
  for (const device of devices) {
    const sectors = byteCount(disk, `${folder}/devices/${device}/size`)
    const help = 'Size of a device that is part of the filesystem.'
    out.gauge('btrfs_device_size_bytes', help, ['device', device, 'uuid', uuid], sectors * SECTOR_BYTES)
  }
}

/** Absent before Linux 6.0: zeros, as upstream. */
function commits(disk: Disk, out: FamilySet, folder: string, labels: readonly string[]): void {
  const text = readOptional(disk, `${folder}/commit_stats`) ?? ''
  const known = new Map<string, number>()
  for (const line of scanLines(text)) {
    const [key = '', value, ...rest] = words(line)
    if (value === undefined || rest.length > 0)
      throw new Error(`Cannot read ${folder}/commit_stats: "NAME NUMBER" expected, got "${line}"`)
    known.set(key, uintOf(value, `${folder}/commit_stats`))
  }
  const get = (key: string): number => known.get(key) ?? 0
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
  const reserved = byteCount(disk, `${folder}/bytes_reserved`)
  if (openDirectory(disk, folder) === null) return
  const help = 'Amount of space reserved for a data type'
  out.gauge('btrfs_reserved_bytes', help, ['block_group_type', group, 'uuid', uuid], reserved)
  for (const mode of listDirectory(disk, folder)) {
    if (!disk.stat(`${folder}/${mode}`)?.isDirectory) continue
    const total = byteCount(disk, `${folder}/${mode}/total_bytes`)
    const used = byteCount(disk, `${folder}/${mode}/used_bytes`)
    const labels = ['block_group_type', group, 'mode', mode, 'uuid', uuid]
    out.gauge('btrfs_used_bytes', 'Amount of used space by a layout/data type', labels, used)
    out.gauge('btrfs_size_bytes', 'Amount of space allocated for a layout/data type', labels, total)
    const ratio = allocationRatio(mode, devices)
    out.gauge('btrfs_allocation_ratio', 'Data allocation ratio for a layout/data type', labels, ratio)
  }
}

/** What is absent, or no number, is 0, as upstream shows it; above all that a number may hold, the greatest. */
function byteCount(disk: Disk, file: string): number {
  const text = readTrimmed(disk, file) ?? ''
  if (!/^\d{1,400}$/.test(text)) return 0
  return Math.min(Number(text), 2 ** 64)
}

/** Bytes on disk for each byte of data. */
function allocationRatio(mode: string, devices: number): number {
  if (mode === 'dup' || mode === 'raid1' || mode === 'raid10') return 2
  if (mode === 'raid1c3') return 3
  if (mode === 'raid1c4') return 4
  if (mode === 'raid5') return devices / (devices - 1)
  if (mode === 'raid6') return devices / (devices - 2)
  return mode === 'single' || mode === 'raid0' ? 1 : 0
}
