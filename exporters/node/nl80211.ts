/**
 * Wireless interfaces over nl80211. Numbers and layout: Linux include/uapi/linux/nl80211.h. What a station tells is in
 * the units in which upstream's library has it: nanoseconds, bits a second, dBm.
 */
import type { Kernel } from '../../protocol/env/mod.ts'
import { GENL_HEADER_BYTES, resolveFamily } from './generic-netlink.ts'
import {
  type Attributes,
  attribute,
  cString,
  macAddress,
  NETLINK_GENERIC,
  parseAttributes,
  requestNetlink,
  u32,
  u64,
  viewOf,
} from './netlink.ts'

export const STATION_FIELDS = [
  ...(['connected', 'inactive', 'receivebitrate', 'transmitbitrate', 'receivedbytes', 'transmittedbytes'] as const),
  ...(['receivedpackets', 'transmittedpackets', 'signal', 'transmitretries', 'transmitfailed', 'beaconloss'] as const),
] as const
export type Station = {
  readonly mac: string
  readonly values: Readonly<Record<(typeof STATION_FIELDS)[number], number>>
}
export type WirelessInterface = {
  readonly name: string
  /** Megahertz. */
  readonly frequency: number
  /** Of the access point it is joined to. */
  readonly bss: { readonly bssid: string; readonly ssid: string; readonly status: number } | null
  readonly stations: readonly Station[]
}

const GET_INTERFACE = 5
const GET_STATION = 17
const GET_SCAN = 32
const ATTR = { ifindex: 3, ifname: 4, mac: 6, stationInfo: 21, frequency: 38, bss: 47 } as const
const BSS = { bssid: 1, informationElements: 6, status: 9 } as const
const STA = {
  inactiveMs: 1,
  rxBytes32: 2,
  txBytes32: 3,
  signal: 7,
  txBitrate: 8,
  rxPackets: 9,
  txPackets: 10,
  txRetries: 11,
  txFailed: 12,
  rxBitrate: 14,
  connectedSeconds: 16,
  beaconLoss: 18,
  rxBytes64: 23,
  txBytes64: 24,
} as const
const RATE = { hundredKilobits16: 1, hundredKilobits32: 5 } as const
const ELEMENT_SSID = 0
const MS_NS = 1e6
const SECOND_NS = 1e9
const HUNDRED_KILOBITS = 1e5

/** null where the kernel has no wireless subsystem. */
export function listWirelessInterfaces(kernel: Kernel): WirelessInterface[] | null {
  const family = resolveFamily(kernel, 'nl80211')
  if (family === null) return null
  const ask = (command: number, attributes: Uint8Array = new Uint8Array()): Attributes[] =>
    requestNetlink(kernel, NETLINK_GENERIC, family.id, new Uint8Array([command, 1, 0, 0, ...attributes])).map(
      (message) => parseAttributes(message, GENL_HEADER_BYTES),
    )
  return ask(GET_INTERFACE).flatMap((found): WirelessInterface[] => {
    const name = cString(found.get(ATTR.ifname))
    const index = found.get(ATTR.ifindex)
    // Some virtual interfaces have no name.
    if (name === '' || !index) return []
    const which = attribute(ATTR.ifindex, index)
    return [
      {
        name,
        frequency: u32(found.get(ATTR.frequency)),
        bss: joined(ask(GET_SCAN, which)),
        stations: ask(GET_STATION, which).flatMap(station),
      },
    ]
  })
}

/** The one with a status: of the others it only heard. */
function joined(scans: readonly Attributes[]): WirelessInterface['bss'] {
  for (const scan of scans) {
    const nested = scan.get(ATTR.bss)
    const bss = nested && parseAttributes(nested)
    if (!bss?.has(BSS.status)) continue
    const ssid = readSsid(bss.get(BSS.informationElements) ?? new Uint8Array())
    return { bssid: macAddress(bss.get(BSS.bssid)), ssid, status: u32(bss.get(BSS.status)) }
  }
  return null
}

/** Elements are an identifier, a length, a value. */
function readSsid(elements: Uint8Array): string {
  for (let at = 0; at + 2 <= elements.length; at += 2 + elements[at + 1]!)
    if (elements[at] === ELEMENT_SSID)
      return new TextDecoder().decode(elements.subarray(at + 2, at + 2 + elements[at + 1]!))
  return ''
}

function station(found: Attributes): Station[] {
  const nested = found.get(ATTR.stationInfo)
  if (!nested) return []
  const info = parseAttributes(nested)
  const number = (type: number): number => u32(info.get(type))
  const bytes = (wide: number, narrow: number): number => (info.has(wide) ? u64(info.get(wide)) : number(narrow))
  const signal = info.get(STA.signal)
  return [
    {
      mac: macAddress(found.get(ATTR.mac)),
      values: {
        connected: number(STA.connectedSeconds) * SECOND_NS,
        inactive: number(STA.inactiveMs) * MS_NS,
        receivebitrate: bitrate(info.get(STA.rxBitrate)),
        transmitbitrate: bitrate(info.get(STA.txBitrate)),
        receivedbytes: bytes(STA.rxBytes64, STA.rxBytes32),
        transmittedbytes: bytes(STA.txBytes64, STA.txBytes32),
        receivedpackets: number(STA.rxPackets),
        transmittedpackets: number(STA.txPackets),
        signal: signal && signal.length > 0 ? viewOf(signal).getInt8(0) : 0,
        transmitretries: number(STA.txRetries),
        transmitfailed: number(STA.txFailed),
        beaconloss: number(STA.beaconLoss),
      },
    },
  ]
}

function bitrate(nested: Uint8Array | undefined): number {
  if (!nested) return 0
  const rate = parseAttributes(nested)
  const narrow = rate.get(RATE.hundredKilobits16)
  if (rate.has(RATE.hundredKilobits32)) return u32(rate.get(RATE.hundredKilobits32)) * HUNDRED_KILOBITS
  return narrow && narrow.length >= 2 ? viewOf(narrow).getUint16(0, true) * HUNDRED_KILOBITS : 0
}
