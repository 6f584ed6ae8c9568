/** Who asks. */

/** The host of `host:port`: a client has as many ports as it has connections. */
export function hostOf(address: string): string {
  const end = address.lastIndexOf(':')
  const host = end < 0 ? address : address.slice(0, end)
  return host.startsWith('[') ? host.slice(1, -1) : host
}
