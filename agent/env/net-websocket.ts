/** One message over a WebSocket and the first answer to it: for debuggers, which speak in questions and answers. */
import { WebSocket } from 'ws'
import { NetError } from '../../protocol/env/mod.ts'

export function askWebSocket(
  url: string,
  question: string,
  { timeoutMs, maxBytes }: { readonly timeoutMs: number; readonly maxBytes: number },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { maxPayload: maxBytes, perMessageDeflate: false, followRedirects: false })
    const finish = (error: NetError | null, answer = ''): void => {
      clearTimeout(timer)
      socket.removeAllListeners()
      // Ending a handshake that is under way is an error, of which nobody needs to hear.
      socket.on('error', () => {})
      socket.terminate()
      if (error) reject(error)
      else resolve(answer)
    }
    const timer = setTimeout(() => finish(new NetError('TIMEOUT', `ask ${url}: i/o timeout`)), timeoutMs)
    socket.on('open', () => socket.send(question))
    socket.on('message', (data, isBinary) => {
      if (isBinary) finish(new NetError('PROTOCOL', `ask ${url}: text expected, got bytes`))
      else finish(null, data.toString())
    })
    socket.on('error', (cause: NodeJS.ErrnoException) =>
      finish(new NetError(cause.code ?? 'PROTOCOL', `ask ${url}: ${cause.message}`, { cause })),
    )
    socket.on('close', () => finish(new NetError('UNEXPECTED_EOF', `ask ${url}: EOF`)))
  })
}
