/**
 * Wireless interfaces and stations, as the kernel tells them over netlink (nl80211), or as upstream's library recorded
 * them. Semantics: node_exporter collector/wifi_linux.go.
 */
import type { Disk } from '../../protocol/env/mod.ts'
import type { FamilyType } from '../../protocol/exposition/mod.ts'
import { stringFlag } from '../contract.ts'
import { type Collector, FamilySet, kernelOf, NoDataError, type NodeContext } from './collector.ts'
import { readOptional } from './files.ts'
import { macAddress } from './netlink.ts'
import { listWirelessInterfaces, STATION_FIELDS, type Station, type WirelessInterface } from './nl80211.ts'

/** Durations are recorded in nanoseconds. */
const NS = 1e9
const MEGAHERTZ = 1e6
const STATUS: readonly string[] = ['client', 'client', 'ad-hoc']

const STATION: readonly (readonly [
  field: (typeof STATION_FIELDS)[number],
  type: FamilyType,
  name: string,
  help: string,
  divisor: number,
])[] = [
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

export function wifiCollector(context: NodeContext): Collector {
  const { disk, flags } = context
  const fixtures = stringFlag(flags, 'collector.wifi.fixtures', '').replace(/\/$/, '')
  return {
    name: 'wifi',
    update() {
      const interfaces = fixtures === '' ? listWirelessInterfaces(kernelOf(context)) : recorded(disk, fixtures)
      if (interfaces === null) throw new NoDataError('the kernel has no wireless subsystem')
      const out = new FamilySet()
      for (const { name: device, frequency, bss, stations } of interfaces) {
        const help = 'The current frequency a WiFi interface is operating at, in hertz.'
        out.gauge('wifi_interface_frequency_hertz', help, ['device', device], frequency * MEGAHERTZ)
        if (bss) {
          const help = 'Labeled WiFi interface station information as provided by the operating system.'
          out.gauge('wifi_station_info', help, [
            ...['bssid', bss.bssid, 'device', device, 'mode', STATUS[bss.status] ?? 'unknown', 'ssid', bss.ssid],
          ])
        }
        for (const station of stations) {
          const labels = ['device', device, 'mac_address', station.mac]
          for (const [field, type, name, help, divisor] of STATION)
            out.add(type, `wifi_station_${name}`, help, labels, station.values[field] / divisor)
        }
      }
      return out.list()
    },
  }
}

type Recorded = Readonly<Record<string, unknown>>

function recorded(disk: Disk, fixtures: string): WirelessInterface[] {
  const read = (file: string): unknown => {
    const text = readOptional(disk, `${fixtures}/${file}`)
    return text === null ? null : JSON.parse(text)
  }
  return (read('interfaces.json') as Recorded[]).flatMap((entry): WirelessInterface[] => {
    const name = entry['name']
    // Some virtual interfaces have no name.
    if (typeof name !== 'string' || name === '') return []
    const bss = read(`${name}/bss.json`) as Recorded | null
    const stations = (read(`${name}/stationinfo.json`) as Recorded[] | null) ?? []
    return [
      {
        name,
        frequency: Number(entry['frequency']),
        bss: bss && {
          bssid: fromBase64(bss['bssid']),
          status: Number(bss['status']),
          ssid: String(bss['ssid']),
        },
        stations: stations.map((station): Station => {
          const values = STATION_FIELDS.map((field) => [field, Number(station[field] ?? 0)])
          return { mac: fromBase64(station['hardwareaddr']), values: Object.fromEntries(values) }
        }),
      },
    ]
  })
}

const fromBase64 = (text: unknown): string =>
  macAddress(Uint8Array.from(atob(String(text)), (char) => char.charCodeAt(0)))
