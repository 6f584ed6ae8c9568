/** Shared by the tests of this room: raw conversations and a server on a free port. */
import { connect } from 'node:net'
import { createNet, systemClock, systemRandom } from '../../../agent/env/mod.ts'
import { type BusServer, type BusServerOptions, createBusServer } from '../mod.ts'

export const NATS_SERVER = process.env['HELIO_NATS_SERVER'] ?? '/tmp/peers/nats-server-2.15.1-1/usr/sbin/nats-server'

export type RunningBus = { server: BusServer; port: number; stop(): Promise<void> }

/** On TCP and, on another port, at /nats over WebSocket. */
export async function startBus(options: Partial<BusServerOptions> = {}): Promise<RunningBus & { webPort: number }> {
  const net = createNet()
  const server = createBusServer({ clock: systemClock, random: systemRandom, ...options })
  const listener = await server.listen(net, { host: '127.0.0.1', port: 0 })
  const web = await net.serveHttp({
    host: '127.0.0.1',
    port: 0,
    handler: () => new Response('hub'),
    webSockets: { '/nats': (socket) => server.accept(socket) },
  })
  return {
    server,
    port: listener.address.port,
    webPort: web.address.port,
    stop: async () => {
      await server.stop(0)
      await web.close(0)
      net.close()
    },
  }
}

/** Writes `input` once INFO is there; returns what came after INFO, and whether the server closed. */
export async function converse(
  port: number,
  input: string,
  isEnough: (output: string) => boolean = () => false,
): Promise<{ output: string; closed: boolean }> {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  let written = false
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const output = (): string => received.slice(received.indexOf('\r\n') + 2)
  const timer = setTimeout(() => resolve(false), 1_000)
  socket.on('error', () => {})
  socket.on('close', () => resolve(true))
  socket.on('data', (data) => {
    received += data.toString('latin1')
    if (!written && received.includes('\r\n')) {
      written = true
      socket.write(Buffer.from(input, 'latin1'))
    }
    if (written && isEnough(output())) resolve(false)
  })
  const closed = await promise
  clearTimeout(timer)
  socket.destroy()
  return { output: output(), closed }
}

export async function until(what: string, condition: () => boolean): Promise<void> {
  const end = performance.now() + 5_000
  while (!condition()) {
    if (performance.now() > end) throw new Error(`Waited 5 s for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
