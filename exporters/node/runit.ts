/** Services under runit. */
import { stringFlag } from '../contract.ts'
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { openDirectory } from './files.ts'

/**
 * `supervise/status`, 20 bytes: TAI64N time of the last change (8 seconds big-endian, 4 nanoseconds), process id
 * (4, little-endian), paused, wanted ('u' or 'd'), got TERM, state (0 down, 1 running, 2 finishing).
 */
const STATUS_BYTES = 20
const TAI_OFFSET = 4611686018427387914n

export function runitCollector({ disk, flags }: NodeContext): Collector {
  const base = stringFlag(flags, 'collector.runit.servicedir', '/etc/service')
  return {
    name: 'runit',
    update() {
      const services = openDirectory(disk, base)
      if (services === null) throw new NoDataError(`${base} is absent: runit does not supervise here`)
      const out = new FamilySet()
      for (const service of services) {
        const status = readStatus(disk, `${base}/${service}/supervise/status`)
        if (status === null) continue
        const labels = ['service', service]
        const normallyUp = disk.stat(`${base}/${service}/down`) === null
        out.gauge('service_state', 'State of runit service.', labels, status.state)
        out.gauge('service_desired_state', 'Desired state of runit service.', labels, status.wantUp ? 1 : 0)
        out.gauge('service_normal_state', 'Normal state of runit service.', labels, normallyUp ? 1 : 0)
        out.gauge(
          'service_state_last_change_timestamp_seconds',
          'Unix timestamp of the last runit service state change.',
          labels,
          status.changedSeconds,
        )
      }
      return out.list()
    },
  }
}

type Status = { readonly state: number; readonly wantUp: boolean; readonly changedSeconds: number }

/** null for a folder that is no service. */
function readStatus(disk: NodeContext['disk'], file: string): Status | null {
  let bytes: Uint8Array
  try {
    bytes = disk.readFile(file)
  } catch {
    return null
  }
  if (bytes.length !== STATUS_BYTES)
    throw new Error(`Cannot read ${file}: ${STATUS_BYTES} bytes expected, got ${bytes.length}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const seconds = view.getBigUint64(0) - TAI_OFFSET
  return { state: bytes[19]!, wantUp: bytes[17] === 'u'.charCodeAt(0), changedSeconds: Number(seconds) }
}
