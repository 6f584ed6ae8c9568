/** Block device counters of /proc/diskstats, and what udev knows of the devices. */
import { type FamilyType, readGoFloat } from '../../protocol/exposition/mod.ts'
import { type Collector, FamilySet, includeOrExclude, type NodeContext } from './collector.ts'
import { lines, readOptional, uintOf, words } from './files.ts'

const DEFAULT_EXCLUDE = '^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\\d+n\\d+p)\\d+$'
const SECTOR_BYTES = 512
const MS = 0.001

/** In the order of the file, after the device's name. */
const COLUMNS: readonly (readonly [name: string, help: string, factor: number, type: FamilyType])[] = [
  ['reads_completed_total', 'The total number of reads completed successfully.', 1, 'counter'],
  ['reads_merged_total', 'The total number of reads merged.', 1, 'counter'],
  ['read_bytes_total', 'The total number of bytes read successfully.', SECTOR_BYTES, 'counter'],
  ['read_time_seconds_total', 'The total number of seconds spent by all reads.', MS, 'counter'],
  ['writes_completed_total', 'The total number of writes completed successfully.', 1, 'counter'],
  ['writes_merged_total', 'The number of writes merged.', 1, 'counter'],
  ['written_bytes_total', 'The total number of bytes written successfully.', SECTOR_BYTES, 'counter'],
  ['write_time_seconds_total', 'This is the total number of seconds spent by all writes.', MS, 'counter'],
  ['io_now', 'The number of I/Os currently in progress.', 1, 'gauge'],
  ['io_time_seconds_total', 'Total seconds spent doing I/Os.', MS, 'counter'],
  ['io_time_weighted_seconds_total', 'The weighted # of seconds spent doing I/Os.', MS, 'counter'],
  ['discards_completed_total', 'The total number of discards completed successfully.', 1, 'counter'],
  ['discards_merged_total', 'The total number of discards merged.', 1, 'counter'],
  ['discarded_sectors_total', 'The total number of sectors discarded successfully.', 1, 'counter'],
  ['discard_time_seconds_total', 'This is the total number of seconds spent by all discards.', MS, 'counter'],
  ['flush_requests_total', 'The total number of flush requests completed successfully', 1, 'counter'],
  [
    'flush_requests_time_seconds_total',
    'This is the total number of seconds spent by all flush requests.',
    MS,
    'counter',
  ],
]

const MIN_COLUMNS = 11

const ATA: readonly (readonly [property: string, name: string, help: string])[] = [
  ['ID_ATA_WRITE_CACHE', 'ata_write_cache', 'ATA disk has a write cache.'],
  ['ID_ATA_WRITE_CACHE_ENABLED', 'ata_write_cache_enabled', 'ATA disk has its write cache enabled.'],
  ['ID_ATA_ROTATION_RATE_RPM', 'ata_rotation_rate_rpm', 'ATA disk rotation rate in RPMs (0 for SSDs).'],
]

export function diskstatsCollector(context: NodeContext): Collector {
  const { disk, procfs, flags } = context
  const keep = includeOrExclude(flags, 'collector.diskstats.device', DEFAULT_EXCLUDE)
  return {
    name: 'diskstats',
    update() {
      const found = new FamilySet()
      const file = `${procfs}/diskstats`
      const devices = lines(disk.readText(file)).map((line) => {
        const [major = '', minor = '', device = '', ...texts] = words(line)
        uintOf(major, file)
        if (minor !== '') uintOf(minor, file)
        return { major, minor, device, values: texts.slice(0, COLUMNS.length).map((text) => uintOf(text, file)) }
      })
      for (const { major, minor, device, values } of devices) {
        // Partitions of Linux before 2.6.25 have four numbers of another kind.
        if (values.length < MIN_COLUMNS || !keep(device)) continue
        describe(context, found, { major, minor, device })
        COLUMNS.forEach(([name, help, factor, type], i) => {
          if (values[i] !== undefined) found.add(type, `disk_${name}`, help, ['device', device], values[i]! * factor)
        })
      }
      return found.list()
    },
  }
}

type Device = { readonly major: string; readonly minor: string; readonly device: string }

function describe({ disk, sysfs, udevData }: NodeContext, found: FamilySet, { major, minor, device }: Device): void {
  const udev = properties(readOptional(disk, `${udevData}/b${major}:${minor}`) ?? '')
  const get = (name: string): string => udev.get(name) ?? ''
  const known = readOptional(disk, `${sysfs}/block/${device}/queue/rotational`)?.trim() ?? ''
  const rotational = /^\d+$/.test(known) ? known : '0'
  const serial = get('SCSI_IDENT_SERIAL') || get('ID_SERIAL_SHORT') || get('ID_SERIAL')
  found.add('gauge', 'disk_info', 'Info of /sys/block/<block_device>.', [
    ...['device', device, 'major', major, 'minor', minor, 'model', get('ID_MODEL'), 'path', get('ID_PATH')],
    ...['revision', get('ID_REVISION'), 'rotational', rotational, 'serial', serial, 'wwn', get('ID_WWN')],
  ])
  if (get('ID_FS_TYPE') !== '') {
    found.add('gauge', 'disk_filesystem_info', 'Info about disk filesystem.', [
      ...['device', device, 'type', get('ID_FS_TYPE'), 'usage', get('ID_FS_USAGE')],
      ...['uuid', get('ID_FS_UUID'), 'version', get('ID_FS_VERSION')],
    ])
  }
  if (get('DM_NAME') !== '') {
    found.add('gauge', 'disk_device_mapper_info', 'Info about disk device mapper.', [
      ...['device', device, 'lv_layer', get('DM_LV_LAYER'), 'lv_name', get('DM_LV_NAME'), 'name', get('DM_NAME')],
      ...['uuid', get('DM_UUID'), 'vg_name', get('DM_VG_NAME')],
    ])
  }
  if (get('ID_ATA') === '') return
  for (const [property, name, help] of ATA) {
    const value = readGoFloat(get(property))
    if (typeof value === 'number') found.add('gauge', `disk_${name}`, help, ['device', device], value)
  }
}

/** The `E:` lines of a udev database entry. */
function properties(text: string): Map<string, string> {
  const out = new Map<string, string>()
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=')
    if (line.startsWith('E:') && equals > 0) out.set(line.slice(2, equals), line.slice(equals + 1))
  }
  return out
}
