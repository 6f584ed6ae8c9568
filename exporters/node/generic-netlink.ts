/** Families of generic netlink, found by name. Layout: Linux include/uapi/linux/genetlink.h. */
import { type Kernel, KernelError } from '../../protocol/env/mod.ts'
import { attribute, NETLINK_GENERIC, parseAttributes, requestNetlink, viewOf } from './netlink.ts'

const GENL_ID_CTRL = 16
const CTRL_CMD_GETFAMILY = 3
const CTRL_ATTR_FAMILY_ID = 1
const CTRL_ATTR_FAMILY_NAME = 2
export const GENL_HEADER_BYTES = 4

/** null where the kernel has no such family. */
export function resolveFamily(kernel: Kernel, name: string): { readonly id: number } | null {
  const text = new TextEncoder().encode(`${name}\0`)
  const request = new Uint8Array([CTRL_CMD_GETFAMILY, 1, 0, 0, ...attribute(CTRL_ATTR_FAMILY_NAME, text)])
  try {
    const [answer] = requestNetlink(kernel, NETLINK_GENERIC, GENL_ID_CTRL, request, false)
    const id = answer && parseAttributes(answer, GENL_HEADER_BYTES).get(CTRL_ATTR_FAMILY_ID)
    return id && id.length >= 2 ? { id: viewOf(id).getUint16(0, true) } : null
  } catch (error) {
    if (error instanceof KernelError && error.code === 'ENOENT') return null
    throw error
  }
}
