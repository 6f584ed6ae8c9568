/** What the servers under test share: a free port, readiness by a query, an end. */
import type { ChildProcess } from 'node:child_process'
import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

type Readiness = { readonly name: string; readonly query: string; readonly timeoutMs: number }

/**
 * Resolves once `query` has a result.
 * @throws Error when the process ends first, or nothing comes in time
 */
export async function answered(url: string, child: ChildProcess, { name, query, timeoutMs }: Readiness): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`${name} exited with ${child.exitCode}`)
    // Not there yet, or there and answering in plain words that it is not ready.
    const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}`)
      .then((response) => response.json() as Promise<{ data?: { result?: readonly unknown[] } }>)
      .catch(() => null)
    if ((answer?.data?.result?.length ?? 0) > 0) return
    await delay(250)
  }
  throw new Error(`${name} had no result for ${query} within ${timeoutMs} ms`)
}

export async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise<void>((done) => child.once('exit', () => done()))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000)
  await gone
  clearTimeout(timer)
}

/** Below the range that outgoing connections take theirs from: one of those may have it before the server does. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 30_000 + Math.floor(Math.random() * 2700)
    const server = net.createServer()
    const isFree = await new Promise<boolean>((done) => {
      server.once('error', () => done(false))
      server.listen(port, '127.0.0.1', () => done(true))
    })
    if (!isFree) continue
    await new Promise((done) => server.close(done))
    return port
  }
}
