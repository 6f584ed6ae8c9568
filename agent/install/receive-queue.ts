/**
 * What the kernel may keep of datagrams that nobody has read yet. Its own limit, 208 KiB on most systems, is filled by
 * 250 small ones, and the unit has no capability to pass it. Semantics: sysctl.d(5), socket(7).
 */
const RMEM_MAX = '/proc/sys/net/core/rmem_max'
/**
 * As the exporter asks for by default (`DEFAULT_READ_BUFFER_BYTES` of agent/env/datagram-calls.ts), which the kernel counts
 * twice over: half of it is full after the second between two looks with 100,000 small ones a second. With less the
 * exporter looks more often, which costs CPU.
 */
const BYTES = 80 * 2 ** 20
/** Early in the order of sysctl.d, so that whatever an administrator has set there counts. */
export const SYSCTL_NAME = '10-heliograph-agent.conf'
/** As the first line of `UNIT_MARK`: with it the file is ours. */
export const SYSCTL_MARK = '# Written by Heliograph; another value belongs into a later file of /etc/sysctl.d'

export const SYSCTL_TEXT = `${SYSCTL_MARK}
# StatsD packets that may wait in the kernel until they are read, in bytes.
net.core.rmem_max = ${BYTES}
`

/** A shell command that makes the file count now, unless the limit is as high already. */
export const applySysctl = (file: string): string =>
  `[ "$(cat ${RMEM_MAX})" -ge ${BYTES} ] || sysctl --quiet --load=${file}`
