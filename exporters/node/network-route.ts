/** Routes of the main tables. Semantics: node_exporter collector/network_route_linux.go. */
import { type Collector, FamilySet, kernelOf, type NodeContext } from './collector.ts'
import { listLinks } from './links.ts'
import { type Attributes, ipAddress, NETLINK_ROUTE, parseAttributes, requestNetlink, u32, viewOf } from './netlink.ts'

const RTM_GETROUTE = 26
const RTMSG_BYTES = 12
const RTNEXTHOP_BYTES = 8
const RTN_UNICAST = 1
const RTA = { destination: 1, outDevice: 4, gateway: 5, priority: 6, preferredSource: 7, multipath: 9 } as const
const PROTOCOLS: Readonly<Record<number, string>> = {
  0: 'unspec',
  1: 'redirect',
  2: 'kernel',
  3: 'boot',
  4: 'static',
  8: 'gated',
  9: 'ra',
  10: 'mrt',
  11: 'zebra',
  12: 'bird',
  13: 'dnrouted',
  14: 'xorp',
  15: 'ntk',
  16: 'dhcp',
  17: 'mrouted',
  42: 'babel',
  186: 'bgp',
  187: 'isis',
  188: 'ospf',
  189: 'rip',
  192: 'eigrp',
}

export function networkRouteCollector(context: NodeContext): Collector {
  return {
    name: 'network_route',
    update() {
      const kernel = kernelOf(context)
      const devices = new Map(listLinks(kernel).map(({ index, name }) => [index, name]))
      const out = new FamilySet()
      const perDevice = new Map<string, number>()
      for (const message of requestNetlink(kernel, NETLINK_ROUTE, RTM_GETROUTE, new Uint8Array(RTMSG_BYTES))) {
        if (message.length < RTMSG_BYTES || message[7] !== RTN_UNICAST) continue
        const attributes = parseAttributes(message, RTMSG_BYTES)
        const prefix = message[1]!
        const destination = ipAddress(attributes.get(RTA.destination))
        const dest = prefix === 0 ? 'default' : `${destination}/${prefix}`
        for (const { index, gateway, weight } of nextHops(attributes)) {
          const device = devices.get(index) ?? ''
          out.gauge('network_route_info', 'network routing table information', [
            ...['dest', dest, 'device', device, 'gw', gateway, 'priority', String(u32(attributes.get(RTA.priority)))],
            ...['proto', PROTOCOLS[message[5]!] ?? 'unknown', 'src', ipAddress(attributes.get(RTA.preferredSource))],
            ...['weight', weight],
          ])
          perDevice.set(device, (perDevice.get(device) ?? 0) + 1)
        }
      }
      for (const [device, count] of perDevice)
        out.gauge('network_routes', 'network routes by interface', ['device', device], count)
      return out.list()
    },
  }
}

type Hop = { readonly index: number; readonly gateway: string; readonly weight: string }

function nextHops(attributes: Attributes): Hop[] {
  const multipath = attributes.get(RTA.multipath)
  if (!multipath)
    return [{ index: u32(attributes.get(RTA.outDevice)), gateway: ipAddress(attributes.get(RTA.gateway)), weight: '' }]
  const out: Hop[] = []
  const view = viewOf(multipath)
  for (let at = 0; at + RTNEXTHOP_BYTES <= multipath.length; ) {
    const length = view.getUint16(at, true)
    if (length < RTNEXTHOP_BYTES || at + length > multipath.length) break
    const own = parseAttributes(multipath.subarray(at, at + length), RTNEXTHOP_BYTES)
    out.push({
      index: view.getInt32(at + 4, true),
      gateway: ipAddress(own.get(RTA.gateway)),
      weight: String(multipath[at + 3]! + 1),
    })
    at += (length + 3) & ~3
  }
  return out
}
