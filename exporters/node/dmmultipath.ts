/** Multipath devices of the device mapper and the state of each path. */
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { listDirectory, openDirectory, readNumber, readTrimmed } from './files.ts'

const SECTOR_BYTES = 512
/** SCSI says running, NVMe live. */
const ACTIVE_STATES = ['running', 'live']

export function dmmultipathCollector({ disk, sysfs }: NodeContext): Collector {
  const base = `${sysfs}/block`
  return {
    name: 'dmmultipath',
    update() {
      const names = openDirectory(disk, base)
      if (names === null) throw new NoDataError('no block devices')
      const out = new FamilySet()
      for (const name of names) {
        if (!name.startsWith('dm-')) continue
        const uuid = readTrimmed(disk, `${base}/${name}/dm/uuid`)
        if (uuid?.startsWith('mpath-')) multipath(disk, out, base, name, uuid)
      }
      return out.list()
    },
  }
}

function multipath(disk: NodeContext['disk'], out: FamilySet, base: string, name: string, uuid: string): void {
  const device = readTrimmed(disk, `${base}/${name}/dm/name`) ?? name
  const labels = ['device', device, 'sysfs_name', name]
  const put = (metric: string, help: string, value: number): void =>
    out.gauge(`dmmultipath_device_${metric}`, help, labels, value)
  out.gauge('dmmultipath_device_info', 'Non-numeric information about a DM-multipath device.', [
    ...labels,
    'uuid',
    uuid,
  ])
  const suspended = readTrimmed(disk, `${base}/${name}/dm/suspended`) === '1'
  put('active', 'Whether the multipath device-mapper device is active (1) or suspended (0).', suspended ? 0 : 1)
  const sectors = readNumber(disk, `${base}/${name}/size`) ?? 0
  put('size_bytes', 'Size of the multipath device in bytes, read from /sys/block/<dm>/size.', sectors * SECTOR_BYTES)
  const paths = listDirectory(disk, `${base}/${name}/slaves`)
  let active = 0
  for (const path of paths) {
    const state = readTrimmed(disk, `${base}/${path}/device/state`) ?? 'unknown'
    if (ACTIVE_STATES.includes(state)) active++
    out.gauge(
      'dmmultipath_path_state',
      'Reports the underlying device state for a multipath path, as read from /sys/block/<dev>/device/state.',
      ['device', device, 'path', path, 'state', state],
    )
  }
  put('paths', 'Number of paths for a multipath device.', paths.length)
  put('paths_active', 'Number of paths in active state (SCSI running or NVMe live) for a multipath device.', active)
  put('paths_failed', 'Number of paths not in active state for a multipath device.', paths.length - active)
}
