/** Block devices replicated by DRBD 8, from /proc/drbd. */
import type { FamilyType } from '../../protocol/exposition/mod.ts'
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { floatOf, readOptional, words } from './files.ts'

const KIB = 1024
const NUMBERS: Readonly<Record<string, readonly [type: FamilyType, name: string, factor: number, help: string]>> = {
  ns: ['counter', 'network_sent_bytes_total', KIB, 'Total number of bytes sent via the network.'],
  nr: ['counter', 'network_received_bytes_total', 1, 'Total number of bytes received via the network.'],
  dw: ['counter', 'disk_written_bytes_total', KIB, 'Net data written on local hard disk; in bytes.'],
  dr: ['counter', 'disk_read_bytes_total', KIB, 'Net data read from local hard disk; in bytes.'],
  al: ['counter', 'activitylog_writes_total', 1, 'Number of updates of the activity log area of the meta data.'],
  bm: ['counter', 'bitmap_writes_total', 1, 'Number of updates of the bitmap area of the meta data.'],
  lo: ['gauge', 'local_pending', 1, 'Number of open requests to the local I/O sub-system.'],
  pe: [
    'gauge',
    'remote_pending',
    1,
    'Number of requests sent to the peer, but that have not yet been answered by the latter.',
  ],
  ua: [
    'gauge',
    'remote_unacknowledged',
    1,
    'Number of requests received by the peer via the network connection, but that have not yet been answered.',
  ],
  ap: [
    'gauge',
    'application_pending',
    1,
    'Number of block I/O requests forwarded to DRBD, but not yet answered by DRBD.',
  ],
  ep: ['gauge', 'epochs', 1, 'Number of Epochs currently on the fly.'],
  oos: ['gauge', 'out_of_sync_bytes', KIB, 'Amount of data known to be out of sync; in bytes.'],
}

/** A word `N:` starts a device; words `key:value` after it describe it. */
export function drbdCollector({ disk, procfs }: NodeContext): Collector {
  const file = `${procfs}/drbd`
  return {
    name: 'drbd',
    update() {
      const text = readOptional(disk, file)
      if (text === null) throw new NoDataError('DRBD is not loaded')
      const out = new FamilySet()
      let device = 'unknown'
      for (const word of words(text)) {
        const [key = '', value, ...rest] = word.split(':')
        if (value === undefined || rest.length > 0) continue
        if (value === '' && /^\d{1,19}$/.test(key)) device = `drbd${BigInt(key)}`
        else describe(out, { device, key, value, file })
      }
      return out.list()
    },
  }
}

type Field = { readonly device: string; readonly key: string; readonly value: string; readonly file: string }

function describe(out: FamilySet, { device, key, value, file }: Field): void {
  const known = NUMBERS[key]
  if (known) {
    const [type, name, factor, help] = known
    out.add(type, `drbd_${name}`, help, ['device', device], floatOf(value, file) * factor)
  } else if (key === 'ro') {
    pair(out, device, value, 'Primary', 'node_role_is_primary', 'Whether the role of the node is in the primary state.')
  } else if (key === 'ds') {
    const help = 'Whether the disk of the node is up to date.'
    pair(out, device, value, 'UpToDate', 'disk_state_is_up_to_date', help)
  } else if (key === 'cs') {
    const connected = value === 'Connected' ? 1 : 0
    out.gauge('drbd_connected', 'Whether DRBD is connected to the peer.', ['device', device], connected)
  }
}

/** `LOCAL/REMOTE`. */
function pair(out: FamilySet, device: string, value: string, good: string, name: string, help: string): void {
  const [local, remote] = value.split('/')
  out.gauge(`drbd_${name}`, help, ['device', device, 'node', 'local'], local === good ? 1 : 0)
  out.gauge(`drbd_${name}`, help, ['device', device, 'node', 'remote'], remote === good ? 1 : 0)
}
