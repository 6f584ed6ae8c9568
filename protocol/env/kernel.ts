/**
 * What the kernel tells only by system calls that no JavaScript runtime offers. Structures go in and out as the bytes
 * the kernel reads and writes (little-endian hosts, 64 bit); their layout is the caller's knowledge. Calls are
 * synchronous and answer at once: none of them waits for hardware or for another host.
 *
 * Every method throws `KernelError`: code `UNAVAILABLE` where the foreign function interface cannot be loaded, else the
 * POSIX name of errno.
 */
export interface Kernel {
  /** `adjtimex(2)` on `timex` (struct timex, 208 bytes, filled in); returns the state of the clock. */
  adjtimex(timex: Uint8Array): number
  /**
   * One request on a fresh netlink socket of family `protocol`, and every message of the answer, headers included, up
   * to NLMSG_DONE or NLMSG_ERROR (given too). Bounded: code `EMSGSIZE` past `maxBytes`.
   */
  netlink(protocol: number, request: Uint8Array, maxBytes: number): Uint8Array
  /** `ioctl(SIOCETHTOOL)` on a network device, `data` being the command's structure, changed in place. */
  ethtool(device: string, data: Uint8Array): void
  /** `perf_event_open(2)` for every process on `cpu`, counting from now on. @param attr struct perf_event_attr */
  openPerfEvent(attr: Uint8Array, cpu: number): PerfEvent
}

export interface PerfEvent {
  /** What was counted so far. */
  read(): number
  close(): void
}

export class KernelError extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'KernelError'
    this.code = code
  }
}
