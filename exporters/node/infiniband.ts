/** InfiniBand devices and the counters of their ports. */
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { listDirectory, openDirectory, readNumber, readTrimmed } from './files.ts'

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
]

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
  /** `4: ACTIVE`. */
  const id = (file: string): number => Number.parseInt(readTrimmed(disk, `${folder}/${file}`) ?? '0', 10)
  out.gauge(
    'infiniband_state_id',
    'State of the InfiniBand port (0: no change, 1: down, 2: init, 3: armed, 4: active, 5: act defer)',
    labels,
    id('state'),
  )
  out.gauge(
    'infiniband_physical_state_id',
    'Physical state of the InfiniBand port (0: no change, 1: sleep, 2: polling, 3: disable, 4: shift, 5: link up, 6: link error recover, 7: phytest)',
    labels,
    id('phys_state'),
  )
  // `40 Gb/sec (4X QDR)`.
  const rate = Number.parseFloat(readTrimmed(disk, `${folder}/rate`) ?? '0')
  out.gauge('infiniband_rate_bytes_per_second', 'Maximum signal transfer rate', labels, rate * GIGABIT_BYTES)
  const present = new Set(
    ['counters', 'counters_ext'].flatMap((kind) =>
      listDirectory(disk, `${folder}/${kind}`).map((name) => `${kind}/${name}`),
    ),
  )
  for (const [file, name, help, factor] of COUNTERS) {
    // `N/A (no PMA)` where the adapter does not count.
    const value = present.has(file) ? readNumber(disk, `${folder}/${file}`) : null
    if (value !== null) out.counter(`infiniband_${name}`, help, labels, value * factor)
  }
}
