/** Network interfaces as rtnetlink tells them. Layouts: Linux include/uapi/linux/if_link.h, if_addr.h. */
import type { Kernel } from '../../protocol/env/mod.ts'
import {
  type Attributes,
  cString,
  ipAddress,
  NETLINK_ROUTE,
  parseAttributes,
  requestNetlink,
  u32,
  viewOf,
} from './netlink.ts'

const RTM_GETLINK = 18
const RTM_GETADDR = 22
const IFINFOMSG_BYTES = 16
const IFADDRMSG_BYTES = 8
const IFLA_IFNAME = 3
const IFA_ADDRESS = 1
const IFA_LOCAL = 2

export type Link = {
  readonly index: number
  readonly name: string
  /** ARPHRD_*. */
  readonly type: number
  readonly flags: number
  readonly attributes: Attributes
}

export function listLinks(kernel: Kernel): Link[] {
  const request = new Uint8Array(IFINFOMSG_BYTES)
  return requestNetlink(kernel, NETLINK_ROUTE, RTM_GETLINK, request).flatMap((message): Link[] => {
    if (message.length < IFINFOMSG_BYTES) return []
    const view = viewOf(message)
    const attributes = parseAttributes(message, IFINFOMSG_BYTES)
    return [
      {
        type: view.getUint16(2, true),
        index: view.getInt32(4, true),
        flags: view.getUint32(8, true),
        name: cString(attributes.get(IFLA_IFNAME)),
        attributes,
      },
    ]
  })
}

export type LinkAddress = { readonly index: number; readonly address: string; readonly prefix: number }

/** Addresses of IPv4 and IPv6. */
export function listAddresses(kernel: Kernel): LinkAddress[] {
  const request = new Uint8Array(IFADDRMSG_BYTES)
  return requestNetlink(kernel, NETLINK_ROUTE, RTM_GETADDR, request).flatMap((message): LinkAddress[] => {
    if (message.length < IFADDRMSG_BYTES) return []
    const attributes = parseAttributes(message, IFADDRMSG_BYTES)
    // Of a point-to-point device IFA_ADDRESS is the other end.
    const address = ipAddress(attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS))
    return address === '' ? [] : [{ index: u32(message, 4), address, prefix: message[1]! }]
  })
}
