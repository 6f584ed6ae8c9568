/**
 * Wireless interfaces and stations. The kernel tells them over netlink (nl80211) only, which the runtime lacks: without
 * the recorded answers of `collector.wifi.fixtures` the collector has no data.
 */
import type { FamilyType } from '../../protocol/exposition/mod.ts'
import { stringFlag } from '../contract.ts'
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { readOptional } from './files.ts'

/** Durations are recorded in nanoseconds. */
const NS = 1e9
const MEGAHERTZ = 1e6
const STATUS: readonly string[] = ['client', 'client', 'ad-hoc']

const STATION: readonly (readonly [field: string, type: FamilyType, name: string, help: string, divisor: number])[] = [
  [
    'connected',
    'counter',
    'connected_seconds_total',
    'The total number of seconds a station has been connected to an access point.',
    NS,
  ],
  [
    'inactive',
    'gauge',
    'inactive_seconds',
    'The number of seconds since any wireless activity has occurred on a station.',
    NS,
  ],
  [
    'receivebitrate',
    'gauge',
    'receive_bits_per_second',
    'The current WiFi receive bitrate of a station, in bits per second.',
    1,
  ],
  [
    'transmitbitrate',
    'gauge',
    'transmit_bits_per_second',
    'The current WiFi transmit bitrate of a station, in bits per second.',
    1,
  ],
  ['receivedbytes', 'counter', 'receive_bytes_total', 'The total number of bytes received by a WiFi station.', 1],
  [
    'transmittedbytes',
    'counter',
    'transmit_bytes_total',
    'The total number of bytes transmitted by a WiFi station.',
    1,
  ],
  ['receivedpackets', 'counter', 'received_packets_total', 'The total number of packets received by a station.', 1],
  [
    'transmittedpackets',
    'counter',
    'transmitted_packets_total',
    'The total number of packets transmitted by a station.',
    1,
  ],
  ['signal', 'gauge', 'signal_dbm', 'The current WiFi signal strength, in decibel-milliwatts (dBm).', 1],
  [
    'transmitretries',
    'counter',
    'transmit_retries_total',
    'The total number of times a station has had to retry while sending a packet.',
    1,
  ],
  [
    'transmitfailed',
    'counter',
    'transmit_failed_total',
    'The total number of times a station has failed to send a packet.',
    1,
  ],
  ['beaconloss', 'counter', 'beacon_loss_total', 'The total number of times a station has detected a beacon loss.', 1],
]

type Recorded = Readonly<Record<string, unknown>>

export function wifiCollector({ disk, flags }: NodeContext): Collector {
  const fixtures = stringFlag(flags, 'collector.wifi.fixtures', '').replace(/\/$/, '')

  function recorded(file: string): unknown {
    const text = readOptional(disk, `${fixtures}/${file}`)
    return text === null ? null : JSON.parse(text)
  }

  return {
    name: 'wifi',
    update() {
      if (fixtures === '') throw new NoDataError('wireless interfaces need netlink, which this runtime lacks')
      const out = new FamilySet()
      for (const entry of recorded('interfaces.json') as Recorded[]) {
        const device = entry['name']
        // Some virtual interfaces have no name.
        if (typeof device !== 'string' || device === '') continue
        out.gauge(
          'wifi_interface_frequency_hertz',
          'The current frequency a WiFi interface is operating at, in hertz.',
          ['device', device],
          Number(entry['frequency']) * MEGAHERTZ,
        )
        const bss = recorded(`${device}/bss.json`) as Recorded | null
        if (bss) {
          const help = 'Labeled WiFi interface station information as provided by the operating system.'
          out.gauge('wifi_station_info', help, [
            ...['bssid', macAddress(bss['bssid']), 'device', device],
            ...['mode', STATUS[Number(bss['status'])] ?? 'unknown', 'ssid', String(bss['ssid'])],
          ])
        }
        for (const station of (recorded(`${device}/stationinfo.json`) as Recorded[] | null) ?? []) {
          const labels = ['device', device, 'mac_address', macAddress(station['hardwareaddr'])]
          for (const [field, type, name, help, divisor] of STATION)
            out.add(type, `wifi_station_${name}`, help, labels, Number(station[field] ?? 0) / divisor)
        }
      }
      return out.list()
    },
  }
}

/** Recorded in base64. */
function macAddress(base64: unknown): string {
  const bytes = [...atob(String(base64))]
  return bytes.map((byte) => byte.charCodeAt(0).toString(16).padStart(2, '0')).join(':')
}
