/** The probers of streams, TCP and unix. Semantics: blackbox_exporter prober/tcp.go, prober/unix.go (v0.28). */
import type { ByteSocket } from '../../protocol/env/mod.ts'
import type { UnixProbe } from './modules.ts'
import { leftMs, type ProbeContext, ProbeFailure, resolve, setTlsMetrics, splitHostPort, step } from './probe.ts'
import { runDialogue } from './query-response.ts'

export async function probeTcp(context: ProbeContext): Promise<void> {
  const { tcp } = context.module
  const { host, port } = splitHostPort(context.target)
  if (port === '' && !context.target.endsWith(':')) {
    context.log.error('Error splitting target address and port', {
      err: `address ${context.target}: missing port in address`,
    })
    throw new ProbeFailure('Error dialing TCP')
  }
  const { address } = await resolve(context, host, tcp.addressing)
  const socket = await step('Error dialing TCP', context, () => {
    if (tcp.sourceAddress !== '') context.log.info('Using local address', { srcIP: tcp.sourceAddress })
    context.log.debug(`Dialing TCP ${tcp.tls ? 'with' : 'without'} TLS`)
    const from = tcp.sourceAddress === '' ? {} : { localAddress: tcp.sourceAddress }
    return context.deps.net.connect({ host: address, port: Number(port) }, { timeoutMs: leftMs(context), ...from })
  })
  context.log.info('Successfully dialed')
  await converse(context, socket, tcp, host)
}

export async function probeUnix(context: ProbeContext): Promise<void> {
  const { unix } = context.module
  const socket = await step('Error dialing unix', context, () =>
    context.deps.net.connectUnix(context.target, { timeoutMs: leftMs(context) }),
  )
  context.log.info('Successfully dialed')
  await converse(context, socket, unix, unix.tlsConfig?.serverName ?? '')
}

async function converse(context: ProbeContext, socket: ByteSocket, probe: UnixProbe, host: string): Promise<void> {
  const { tls, tlsConfig, queryResponse } = probe
  let current = socket
  if (tls) {
    try {
      const started = await step('Error dialing TCP', context, () =>
        context.deps.net.startTls(socket, {
          host,
          tls: context.deps.access.tls(tlsConfig),
          timeoutMs: leftMs(context),
        }),
      )
      current = started.socket
      const isChecked = tlsConfig?.insecureSkipVerify !== true
      setTlsMetrics(context.page, started.session, { withChainExpiry: true, isChecked })
    } catch (error) {
      socket.destroy()
      throw error
    }
  }
  await runDialogue(context, { socket: current, steps: queryResponse, tlsConfig, host })
}
