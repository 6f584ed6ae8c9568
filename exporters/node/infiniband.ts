/** InfiniBand devices and the counters of their ports. */
import { readGoFloat } from '../../protocol/exposition/mod.ts'
import { uintLiteral } from './attributes.ts'
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { listDirectory, openDirectory, readOptional, readTrimmed, uintOf } from './files.ts'
import { HARDWARE_COUNTERS } from './infiniband-hardware.ts'

/** Octets are counted in words of four. */
const WORD = 4
const GIGABIT_BYTES = 1e9 / 8

const COUNTERS: readonly (readonly [file: string, name: string, help: string, factor: number])[] = [
  [
    'counters_ext/port_multicast_rcv_packets',
    'legacy_multicast_packets_received_total',
    'Number of multicast packets received',
    1,
  ],
  [
    'counters_ext/port_multicast_xmit_packets',
    'legacy_multicast_packets_transmitted_total',
    'Number of multicast packets transmitted',
    1,
  ],
  [
    'counters_ext/port_rcv_data_64',
    'legacy_data_received_bytes_total',
    'Number of data octets received on all links',
    WORD,
  ],
  [
    'counters_ext/port_xmit_data_64',
    'legacy_data_transmitted_bytes_total',
    'Number of data octets transmitted on all links',
    WORD,
  ],
  [
    'counters_ext/port_rcv_packets_64',
    'legacy_packets_received_total',
    'Number of data packets received on all links',
    1,
  ],
  // Upstream says "received" here too.
  [
    'counters_ext/port_xmit_packets_64',
    'legacy_packets_transmitted_total',
    'Number of data packets received on all links',
    1,
  ],
  [
    'counters_ext/port_unicast_rcv_packets',
    'legacy_unicast_packets_received_total',
    'Number of unicast packets received',
    1,
  ],
  [
    'counters_ext/port_unicast_xmit_packets',
    'legacy_unicast_packets_transmitted_total',
    'Number of unicast packets transmitted',
    1,
  ],
  [
    'counters/excessive_buffer_overrun_errors',
    'excessive_buffer_overrun_errors_total',
    'Number of times that OverrunErrors consecutive flow control update periods occurred, each having at least one overrun error.',
    1,
  ],
  [
    'counters/link_downed',
    'link_downed_total',
    'Number of times the link failed to recover from an error state and went down',
    1,
  ],
  [
    'counters/link_error_recovery',
    'link_error_recovery_total',
    'Number of times the link successfully recovered from an error state',
    1,
  ],
  [
    'counters/local_link_integrity_errors',
    'local_link_integrity_errors_total',
    'Number of times that the count of local physical errors exceeded the threshold specified by LocalPhyErrors.',
    1,
  ],
  [
    'counters/multicast_rcv_packets',
    'multicast_packets_received_total',
    'Number of multicast packets received (including errors)',
    1,
  ],
  [
    'counters/multicast_xmit_packets',
    'multicast_packets_transmitted_total',
    'Number of multicast packets transmitted (including errors)',
    1,
  ],
  [
    'counters/port_rcv_constraint_errors',
    'port_constraint_errors_received_total',
    'Number of packets received on the switch physical port that are discarded',
    1,
  ],
  [
    'counters/port_xmit_constraint_errors',
    'port_constraint_errors_transmitted_total',
    'Number of packets not transmitted from the switch physical port',
    1,
  ],
  ['counters/port_rcv_data', 'port_data_received_bytes_total', 'Number of data octets received on all links', WORD],
  [
    'counters/port_xmit_data',
    'port_data_transmitted_bytes_total',
    'Number of data octets transmitted on all links',
    WORD,
  ],
  [
    'counters/port_rcv_discards',
    'port_discards_received_total',
    'Number of inbound packets discarded by the port because the port is down or congested',
    1,
  ],
  [
    'counters/port_xmit_discards',
    'port_discards_transmitted_total',
    'Number of outbound packets discarded by the port because the port is down or congested',
    1,
  ],
  [
    'counters/port_rcv_errors',
    'port_errors_received_total',
    'Number of packets containing an error that were received on this port',
    1,
  ],
  [
    'counters/port_rcv_packets',
    'port_packets_received_total',
    'Number of packets received on all VLs by this port (including errors)',
    1,
  ],
  [
    'counters/port_xmit_packets',
    'port_packets_transmitted_total',
    'Number of packets transmitted on all VLs from this port (including errors)',
    1,
  ],
  [
    'counters/port_rcv_remote_physical_errors',
    'port_receive_remote_physical_errors_total',
    'Number of packets marked with the EBP (End of Bad Packet) delimiter received on the port.',
    1,
  ],
  [
    'counters/port_rcv_switch_relay_errors',
    'port_receive_switch_relay_errors_total',
    'Number of packets that could not be forwarded by the switch.',
    1,
  ],
  [
    'counters/port_xmit_wait',
    'port_transmit_wait_total',
    'Number of ticks during which the port had data to transmit but no data was sent during the entire tick',
    1,
  ],
  [
    'counters/symbol_error',
    'symbol_error_total',
    'Number of minor link errors detected on one or more physical lanes.',
    1,
  ],
  [
    'counters/unicast_rcv_packets',
    'unicast_packets_received_total',
    'Number of unicast packets received (including errors)',
    1,
  ],
  [
    'counters/unicast_xmit_packets',
    'unicast_packets_transmitted_total',
    'Number of unicast packets transmitted (including errors)',
    1,
  ],
  [
    'counters/VL15_dropped',
    'vl15_dropped_total',
    'Number of incoming VL15 packets dropped due to resource limitations.',
    1,
  ],
  ...HARDWARE_COUNTERS.map(([file, name, help]) => [`hw_counters/${file}`, name, help, 1] as const),
]
const LIFESPAN = 'hw_counters/lifespan'

export function infinibandCollector({ disk, sysfs }: NodeContext): Collector {
  const base = `${sysfs}/class/infiniband`
  return {
    name: 'infiniband',
    update() {
      const devices = openDirectory(disk, base)
      if (devices === null) throw new NoDataError('no InfiniBand device')
      const out = new FamilySet()
      for (const device of devices) {
        const read = (file: string): string => readTrimmed(disk, `${base}/${device}/${file}`) ?? ''
        out.gauge('infiniband_info', 'Non-numeric data from /sys/class/infiniband/<device>, value is always 1.', [
          ...['board_id', read('board_id'), 'device', device],
          ...['firmware_version', read('fw_ver'), 'hca_type', read('hca_type')],
        ])
        for (const port of listDirectory(disk, `${base}/${device}/ports`))
          portStats(disk, out, `${base}/${device}/ports/${port}`, ['device', device, 'port', port])
      }
      return out.list()
    },
  }
}

function portStats(disk: NodeContext['disk'], out: FamilySet, folder: string, labels: readonly string[]): void {
  out.gauge(
    'infiniband_state_id',
    'State of the InfiniBand port (0: no change, 1: down, 2: init, 3: armed, 4: active, 5: act defer)',
    labels,
    stateId(disk, `${folder}/state`),
  )
  out.gauge(
    'infiniband_physical_state_id',
    'Physical state of the InfiniBand port (0: no change, 1: sleep, 2: polling, 3: disable, 4: shift, 5: link up, 6: link error recover, 7: phytest)',
    labels,
    stateId(disk, `${folder}/phys_state`),
  )
  const rate = portRate(disk, `${folder}/rate`)
  out.gauge('infiniband_rate_bytes_per_second', 'Maximum signal transfer rate', labels, rate)
  const present = new Set(
    ['counters', 'counters_ext', 'hw_counters'].flatMap((kind) =>
      listDirectory(disk, `${folder}/${kind}`).map((name) => `${kind}/${name}`),
    ),
  )
  for (const [file, name, help, factor] of COUNTERS) {
    const value = present.has(file) ? counter(disk, `${folder}/${file}`) : null
    if (value !== null) out.counter(`infiniband_${name}`, help, labels, value * factor)
  }
  const lifespan = present.has(LIFESPAN) ? counter(disk, `${folder}/${LIFESPAN}`) : null
  const help =
    'The maximum period in ms which defines the aging of the counter reads. Two consecutive reads within this period might return the same values.'
  if (lifespan !== null) out.gauge('infiniband_lifespan_seconds', help, labels, Math.floor(lifespan / 1000))
}

/** `N/A (no PMA)` where the adapter does not count. */
function counter(disk: NodeContext['disk'], file: string): number | null {
  const text = readTrimmed(disk, file)
  return text === null || text.includes('N/A (no PMA)') ? null : uintLiteral(text, file)
}

/** `4: ACTIVE`; 0 where the kernel does not say. */
function stateId(disk: NodeContext['disk'], file: string): number {
  const text = readTrimmed(disk, file)
  if (text === null) return 0
  const parts = text.split(':')
  if (parts.length !== 2) throw new Error(`Cannot read ${file}: "ID: NAME" expected, got "${text}"`)
  return uintOf(parts[0]!.trim(), file)
}

/** `40 Gb/sec (4X QDR)`, in bytes a second; 0 where the kernel does not say. */
function portRate(disk: NodeContext['disk'], file: string): number {
  const text = readOptional(disk, file)
  if (text === null) return 0
  const space = text.indexOf(' ')
  const gigabits = readGoFloat(space < 0 ? '' : text.slice(0, space))
  if (typeof gigabits === 'string' || !(gigabits >= 0 && gigabits < Infinity))
    throw new Error(`Cannot read ${file}: gigabits a second expected, got "${text}"`)
  return Math.floor(Math.fround(gigabits) * GIGABIT_BYTES)
}
