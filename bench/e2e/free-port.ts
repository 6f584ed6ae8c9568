/** Ports for servers under test. */
import net from 'node:net'

/**
 * Below the range that outgoing connections take their ports from, and out of a run of ports that is this process's alone:
 * test files run side by side, and a port is free for a while between this answer and its listener, or while its program
 * is dead. Whoever holds the first port of a run has all of it until it ends.
 */
const PORTS_FROM = 12_000
const RUNS = 180
const PORTS_PER_RUN = 100
let portRun: Promise<number> | null = null
let portsGiven = 0

export async function freePort(): Promise<number> {
  const first = await (portRun ??= holdPortRun())
  for (let tries = 0; tries < PORTS_PER_RUN; tries++) {
    const port = first + 1 + (portsGiven++ % (PORTS_PER_RUN - 1))
    const server = await listening(port)
    if (server === null) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
  throw new Error(`no free port found from ${first} on`)
}

async function holdPortRun(): Promise<number> {
  const start = Math.floor(Math.random() * RUNS)
  for (let i = 0; i < RUNS; i++) {
    const first = PORTS_FROM + ((start + i) % RUNS) * PORTS_PER_RUN
    const holder = await listening(first)
    if (holder === null) continue
    holder.unref()
    return first
  }
  throw new Error('no run of ports is free')
}

function listening(port: number): Promise<net.Server | null> {
  return new Promise((resolve) => {
    const server = net.createServer((socket) => socket.destroy())
    server.once('error', () => resolve(null))
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}
