/** A TCP proxy that counts what passes: bytes of the streams, without the headers of TCP and IP. */
import net from 'node:net'

export type WireBytes = { readonly up: number; readonly down: number }

export class CountingProxy implements AsyncDisposable {
  readonly #server: net.Server
  readonly #sockets = new Set<net.Socket>()
  #up = 0
  #down = 0

  /** Listens on a free port of the loopback and passes everything to `port` there. */
  static async listen(port: number): Promise<CountingProxy> {
    const proxy = new CountingProxy(port)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  private constructor(port: number) {
    this.#server = net.createServer((client) => {
      const server = net.connect({ port, host: '127.0.0.1', noDelay: true })
      client.setNoDelay(true)
      client.on('data', (chunk: Buffer) => {
        this.#up += chunk.length
      })
      server.on('data', (chunk: Buffer) => {
        this.#down += chunk.length
      })
      client.pipe(server).pipe(client)
      for (const [socket, other] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#sockets.add(socket)
        // Either end may break off; the other then sees the same.
        socket.on('error', () => other.destroy())
        socket.on('close', () => {
          this.#sockets.delete(socket)
          other.destroy()
        })
      }
    })
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port
  }

  /** So far; `up` is towards the server. */
  get bytes(): WireBytes {
    return { up: this.#up, down: this.#down }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
