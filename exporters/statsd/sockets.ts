/** Where StatsD lines come in: UDP, TCP, a datagram socket of the file system. Semantics: statsd_exporter main.go (v0.30). */
import type { DatagramListener, Datagrams, Listener, Logger, Net } from '../../protocol/env/mod.ts'
import { FlagError } from '../contract.ts'
import type { StatsdListen, StatsdStream } from './mod.ts'

export type StatsdNet = Pick<Net, 'listenTcp' | 'listenDatagrams' | 'openDatagrams'>

type Sink = {
  readonly datagrams: (datagrams: Datagrams, transport: 'udp' | 'unixgram') => void
  readonly stream: () => StatsdStream
}

export interface StatsdSockets {
  /** Packets that the kernel dropped since the start; 0 where it does not say. */
  drops(): number
  /** Hands over the packets that have come by now. */
  look(): Promise<void>
  /** As bound, for those who asked for port 0. */
  readonly addresses: { readonly udp: string; readonly tcp: string }
  close(): Promise<void>
}

/** All of them or none. @throws NetError naming the address that could not be had */
export async function openSockets(
  net: StatsdNet,
  listen: StatsdListen,
  sink: Sink,
  log: Logger,
): Promise<StatsdSockets> {
  const datagrams: DatagramListener[] = []
  let tcp: Listener | null = null
  let udp: DatagramListener | null = null
  const close = async (): Promise<void> => {
    await Promise.all([...datagrams.map((listener) => listener.close()), tcp?.close(0)])
  }
  const open = async (
    address: Parameters<NonNullable<Net['listenDatagrams']>>[0]['address'],
    transport: 'udp' | 'unixgram',
  ) => {
    if (!net.listenDatagrams) throw new Error('This runtime has no datagram sockets')
    const listener = await net.listenDatagrams({
      address,
      readBufferBytes: listen.readBufferBytes,
      onDatagrams: (received) => sink.datagrams(received, transport),
      onError: (err) => log.error('A StatsD socket failed', { transport, err }),
    })
    datagrams.push(listener)
    return listener
  }
  try {
    if (listen.udp !== '') udp = await open(addressOf('statsd.listen-udp', listen.udp), 'udp')
    if (listen.tcp !== '')
      tcp = await net.listenTcp(tcpAddress(addressOf('statsd.listen-tcp', listen.tcp)), (socket) => {
        const stream = sink.stream()
        socket.onData((chunk) => {
          if (!stream.push(chunk)) socket.destroy()
        })
        socket.onClose((error) => stream.end(error))
      })
    if (listen.unixgram !== '')
      await open({ path: listen.unixgram, mode: Number.parseInt(listen.unixSocketMode, 8) }, 'unixgram')
  } catch (error) {
    await close()
    throw error
  }
  const shown = (listener: { readonly address: { host: string; port: number } } | null): string =>
    listener === null ? '' : `${listener.address.host}:${listener.address.port}`
  return {
    drops: () => datagrams.reduce((sum, listener) => sum + (listener.drops() ?? 0), 0),
    look: async () => {
      for (const listener of datagrams) await listener.look?.()
    },
    addresses: { udp: shown(udp), tcp: shown(tcp) },
    close,
  }
}

/** `host:port`, `[::1]:9125`, `:9125` for every interface. @throws FlagError */
export function addressOf(flag: string, text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([\da-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text)
  if (!match || Number(match[3]) > 65_535) throw new FlagError(flag, `must be HOST:PORT, got "${text}"`)
  return { host: match[1] ?? match[2] ?? '', port: Number(match[3]) }
}

/** Where no host is given: both families, as UDP. */
const tcpAddress = ({ host, port }: { readonly host: string; readonly port: number }) => ({
  host: host === '' ? '::' : host,
  port,
})
