/** SCSI tape drives. */
import type { FamilyType } from '../../protocol/exposition/mod.ts'
import { compileRegex } from '../../protocol/matchers/mod.ts'
import { stringFlag } from '../contract.ts'
import { readUintLiteral } from './attributes.ts'
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { openDirectory } from './files.ts'

const NS = 1e-9
const FILES: readonly (readonly [file: string, type: FamilyType, name: string, help: string, factor: number])[] = [
  ['in_flight', 'gauge', 'io_now', 'The number of I/Os currently outstanding to this device.', 1],
  [
    'io_ns',
    'counter',
    'io_time_seconds_total',
    'The amount of time spent waiting for all I/O to complete (including read and write). This includes tape movement commands such as seeking between file or set marks and implicit tape movement such as when rewind on close tape devices are used.',
    NS,
  ],
  [
    'other_cnt',
    'counter',
    'io_others_total',
    'The number of I/Os issued to the tape drive other than read or write commands. The time taken to complete these commands uses the following calculation io_time_seconds_total-read_time_seconds_total-write_time_seconds_total',
    1,
  ],
  ['read_byte_cnt', 'counter', 'read_bytes_total', 'The number of bytes read from the tape drive.', 1],
  ['read_cnt', 'counter', 'reads_completed_total', 'The number of read requests issued to the tape drive.', 1],
  [
    'read_ns',
    'counter',
    'read_time_seconds_total',
    'The amount of time spent waiting for read requests to complete.',
    NS,
  ],
  [
    'resid_cnt',
    'counter',
    'residual_total',
    'The number of times during a read or write we found the residual amount to be non-zero. This should mean that a program is issuing a read larger thean the block size on tape. For write not all data made it to tape.',
    1,
  ],
  ['write_byte_cnt', 'counter', 'written_bytes_total', 'The number of bytes written to the tape drive.', 1],
  ['write_cnt', 'counter', 'writes_completed_total', 'The number of write requests issued to the tape drive.', 1],
  [
    'write_ns',
    'counter',
    'write_time_seconds_total',
    'The amount of time spent waiting for write requests to complete.',
    NS,
  ],
]

export function tapestatsCollector({ disk, sysfs, flags }: NodeContext): Collector {
  const base = `${sysfs}/class/scsi_tape`
  const ignored = compileRegex(stringFlag(flags, 'collector.tapestats.ignored-devices', '^$'))
  return {
    name: 'tapestats',
    update() {
      const names = openDirectory(disk, base)
      if (names === null) throw new NoDataError('no tape drive')
      const out = new FamilySet()
      for (const device of names) {
        // `nst0`, `st0a` and so on are the same drive in other modes.
        if (!/^st\d+$/.test(device) || ignored.matcher(device).find()) continue
        for (const [file, type, name, help, factor] of FILES) {
          const value = readUintLiteral(disk, `${base}/${device}/stats/${file}`)
          if (value !== null) out.add(type, `tape_${name}`, help, ['device', device], value * factor)
        }
      }
      return out.list()
    },
  }
}
