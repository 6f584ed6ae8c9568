/** The ICMP prober. Semantics: blackbox_exporter prober/icmp.go (v0.28). */
import { NetError } from '../../protocol/env/mod.ts'
import { leftMs, type ProbeContext, ProbeFailure, resolve } from './probe.ts'

const PAYLOAD = 'Prometheus Blackbox Exporter'
let sequence = 0
/** What may be one: the socket has the last word. */
const ADDRESS = /^[\d.]+$|^[\da-f:.]*:/i

export async function probeIcmp(context: ProbeContext): Promise<void> {
  const { page, log, deps, module } = context
  const { icmp } = module
  for (const phase of ['resolve', 'setup', 'rtt']) page.add('probe_icmp_duration_seconds', 0, { phase })
  const { address, seconds } = await resolve(context, context.target, icmp.addressing)
  page.add('probe_icmp_duration_seconds', seconds, { phase: 'resolve' })
  if (icmp.sourceAddress !== '' && !ADDRESS.test(icmp.sourceAddress)) {
    log.error('Error parsing source ip address', { srcIP: icmp.sourceAddress })
    throw new ProbeFailure('Error parsing source ip address', { srcIP: icmp.sourceAddress })
  }
  sequence = (sequence + 1) & 0xffff
  const text = new TextEncoder().encode(PAYLOAD)
  const payload = icmp.payloadSize === 0 ? text : new Uint8Array(icmp.payloadSize)
  if (icmp.payloadSize !== 0) payload.set(text.subarray(0, icmp.payloadSize))
  const id = Math.floor(deps.random.float() * 0x10000)
  log.info('Creating ICMP packet', { seq: sequence, id })
  try {
    const { setupMs, roundTripMs, hopLimit } = await deps.net.ping(address, {
      timeoutMs: leftMs(context),
      payload,
      // 0 is the system's.
      ttl: icmp.ttl === 0 ? 64 : icmp.ttl,
      dontFragment: icmp.dontFragment,
      sourceAddress: icmp.sourceAddress,
      id,
      sequence,
    })
    page.add('probe_icmp_duration_seconds', setupMs / 1000, { phase: 'setup' })
    page.add('probe_icmp_duration_seconds', roundTripMs / 1000, { phase: 'rtt' })
    if (hopLimit !== null) page.set('probe_icmp_reply_hop_limit', hopLimit)
    log.info('Found matching reply packet')
  } catch (error) {
    if (!(error instanceof NetError)) throw error
    const reason = error.code === 'TIMEOUT' ? 'Timeout reading from socket' : 'Error with socket'
    log.error(reason, { err: error.message })
    throw new ProbeFailure(reason, { err: error.message }, { cause: error })
  }
}
