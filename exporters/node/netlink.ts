/**
 * Messages of netlink sockets: a header, a structure of the family, then attributes (length, type, value, padded to 4).
 * Layouts: Linux include/uapi/linux/netlink.h, rtnetlink.h, genetlink.h. Answers come from the kernel, but every length
 * is checked all the same.
 */
import { type Kernel, KernelError } from '../../protocol/env/mod.ts'

export const NETLINK_ROUTE = 0
export const NETLINK_GENERIC = 16

const NLM_F_REQUEST = 1
const NLM_F_DUMP = 0x300
const NLMSG_ERROR = 2
const NLMSG_DONE = 3
const HEADER_BYTES = 16
const ATTRIBUTE_BYTES = 4
/** Without the flags for nested attributes and byte order. */
const TYPE_MASK = 0x3fff
/** A host with a full table of a million routes answers more: its collector fails instead of filling the memory. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024

export type Attributes = ReadonlyMap<number, Uint8Array>

/** The payloads (without header) of every message of the answer. @throws KernelError also for the error in the answer */
export function requestNetlink(
  kernel: Kernel,
  protocol: number,
  type: number,
  payload: Uint8Array,
  dump = true,
): Uint8Array[] {
  const request = new Uint8Array(HEADER_BYTES + payload.length)
  const view = new DataView(request.buffer)
  view.setUint32(0, request.length, true)
  view.setUint16(4, type, true)
  view.setUint16(6, NLM_F_REQUEST | (dump ? NLM_F_DUMP : 0), true)
  view.setUint32(8, 1, true)
  request.set(payload, HEADER_BYTES)
  return splitMessages(kernel.netlink(protocol, request, MAX_ANSWER_BYTES))
}

/** @throws KernelError for an error message, or one whose length is beyond the bytes */
export function splitMessages(bytes: Uint8Array): Uint8Array[] {
  const view = viewOf(bytes)
  const out: Uint8Array[] = []
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const length = view.getUint32(at, true)
    const type = view.getUint16(at + 4, true)
    if (length < HEADER_BYTES || at + length > bytes.length)
      throw new KernelError('EBADMSG', `Netlink message of ${length} bytes at ${at} of ${bytes.length}`)
    if (type === NLMSG_DONE) break
    if (type === NLMSG_ERROR) {
      const errno = length >= HEADER_BYTES + 4 ? -view.getInt32(at + HEADER_BYTES, true) : 0
      if (errno !== 0) throw new KernelError(ERRNO[errno] ?? `E${errno}`, `Netlink answered error ${errno}`)
    } else out.push(bytes.subarray(at + HEADER_BYTES, at + length))
    at += align(length)
  }
  return out
}

const ERRNO: Readonly<Record<number, string>> = {
  1: 'EPERM',
  2: 'ENOENT',
  13: 'EACCES',
  19: 'ENODEV',
  95: 'EOPNOTSUPP',
}

/** The attributes from `offset` on; of two with one type the last. What is cut off is left out. */
export function parseAttributes(bytes: Uint8Array, offset = 0): Map<number, Uint8Array> {
  const view = viewOf(bytes)
  const out = new Map<number, Uint8Array>()
  for (let at = offset; at + ATTRIBUTE_BYTES <= bytes.length; ) {
    const length = view.getUint16(at, true)
    if (length < ATTRIBUTE_BYTES || at + length > bytes.length) break
    out.set(view.getUint16(at + 2, true) & TYPE_MASK, bytes.subarray(at + ATTRIBUTE_BYTES, at + length))
    at += align(length)
  }
  return out
}

/** One attribute as bytes, to be part of a request. */
export function attribute(type: number, value: Uint8Array): Uint8Array {
  const out = new Uint8Array(align(ATTRIBUTE_BYTES + value.length))
  const view = new DataView(out.buffer)
  view.setUint16(0, ATTRIBUTE_BYTES + value.length, true)
  view.setUint16(2, type, true)
  out.set(value, ATTRIBUTE_BYTES)
  return out
}

const align = (length: number): number => (length + 3) & ~3

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** Little-endian; 0 where the value is shorter. */
export function u32(bytes: Uint8Array | undefined, at = 0): number {
  return bytes && bytes.length >= at + 4 ? viewOf(bytes).getUint32(at, true) : 0
}
export function u64(bytes: Uint8Array | undefined, at = 0): number {
  return bytes && bytes.length >= at + 8 ? Number(viewOf(bytes).getBigUint64(at, true)) : 0
}

const decoder = new TextDecoder()
/** Up to the first zero byte. */
export function cString(bytes: Uint8Array | undefined): string {
  if (!bytes) return ''
  const end = bytes.indexOf(0)
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end))
}

/** `02:fc:00:00:00:01` */
export function macAddress(bytes: Uint8Array | undefined): string {
  return bytes ? Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':') : ''
}

/** Of 4 or 16 bytes, IPv6 shortened as RFC 5952 says; empty for none. */
export function ipAddress(bytes: Uint8Array | undefined): string {
  if (bytes?.length === 4) return bytes.join('.')
  if (bytes?.length !== 16) return ''
  const view = viewOf(bytes)
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(i * 2).toString(16))
  let best = { start: -1, length: 1 }
  for (let i = 0; i < groups.length; i++) {
    let length = 0
    while (groups[i + length] === '0') length++
    if (length > best.length) best = { start: i, length }
  }
  if (best.start < 0) return groups.join(':')
  return `${groups.slice(0, best.start).join(':')}::${groups.slice(best.start + best.length).join(':')}`
}
