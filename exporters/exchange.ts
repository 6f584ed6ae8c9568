/** One question and its answer over a byte stream, with every limit on: for daemons' line protocols. */
import { type ByteSocket, type Clock, NetError } from '../protocol/env/mod.ts'

export type ExchangeLimits = {
  /** From the question to the end of its answer. */
  readonly timeoutMs: number
  readonly maxBytes: number
}

/** A connection whose answers are text: questions go one after another. */
export interface TextExchange {
  /**
   * Writes `question` and reads until `isComplete(answer so far)`; with null, until the peer closes.
   * @throws NetError `TIMEOUT`, `BODY_TOO_LARGE`, `UNEXPECTED_EOF` or the system's code
   */
  ask(question: string, isComplete: ((answer: string) => boolean) | null): Promise<string>
  close(): void
}

export function textExchange(socket: ByteSocket, clock: Clock, limits: ExchangeLimits): TextExchange {
  let listener: ((chunk: Uint8Array | null, error: Error | null) => void) | null = null
  let closed: { readonly error: Error | null } | null = null
  socket.onData((chunk) => listener?.(chunk, null))
  socket.onClose((error) => {
    closed = { error }
    listener?.(null, error)
  })
  return {
    ask: (question, isComplete) =>
      new Promise((resolve, reject) => {
        const decoder = new TextDecoder()
        let answer = ''
        let bytes = 0
        const finish = (error: Error | null): void => {
          listener = null
          timer.cancel()
          if (error === null) resolve(answer)
          else {
            socket.destroy()
            reject(error)
          }
        }
        const timer = clock.setTimer(limits.timeoutMs, () =>
          finish(new NetError('TIMEOUT', `read ${socket.remoteAddress}: i/o timeout`)),
        )
        listener = (chunk, error) => {
          if (chunk === null) {
            if (isComplete === null && error === null) finish(null)
            else finish(error ?? new NetError('UNEXPECTED_EOF', `read ${socket.remoteAddress}: EOF`))
            return
          }
          bytes += chunk.length
          if (bytes > limits.maxBytes) {
            const problem = `answer to "${question.trim()}" exceeds ${limits.maxBytes} bytes`
            finish(new NetError('BODY_TOO_LARGE', `read ${socket.remoteAddress}: ${problem}`))
            return
          }
          answer += decoder.decode(chunk, { stream: true })
          if (isComplete?.(answer)) finish(null)
        }
        if (closed !== null) listener(null, closed.error)
        else socket.write(new TextEncoder().encode(question))
      }),
    close: () => socket.destroy(),
  }
}
