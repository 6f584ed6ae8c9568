/** HTTP answers from a script, on the test's clock: by URL, with a delay. */
import { type Clock, type HttpRequest, type HttpResponse, type Net, NetError } from '../../../protocol/env/mod.ts'

export type Answer = {
  readonly body: string
  readonly status?: number
  readonly contentType?: string
  readonly delayMs?: number
}

export class FakeNet implements Net {
  readonly answers = new Map<string, Answer>()
  readonly requests: {
    readonly url: string
    readonly headers: Readonly<Record<string, string>>
    readonly atMs: number
  }[] = []
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  request(request: HttpRequest): Promise<HttpResponse> {
    const { url, timeoutMs, maxBodyBytes, signal } = request
    this.requests.push({ url, headers: request.headers ?? {}, atMs: this.#clock.now() })
    const answer = this.answers.get(url)
    return new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(new NetError('ABORTED', 'context canceled')))
      if (answer === undefined) {
        reject(new NetError('ECONNREFUSED', `Get "${url}": connection refused`))
        return
      }
      const { body, status = 200, contentType = 'text/plain; version=0.0.4', delayMs = 0 } = answer
      if (delayMs >= timeoutMs) {
        this.#clock.setTimer(timeoutMs, () =>
          reject(new NetError('TIMEOUT', `Get "${url}": context deadline exceeded`)),
        )
        return
      }
      const bytes = new TextEncoder().encode(body)
      this.#clock.setTimer(delayMs, () => {
        if (bytes.length > maxBodyBytes) reject(new NetError('BODY_TOO_LARGE', 'too large'))
        else resolve({ status, headers: { 'content-type': contentType }, body: bytes })
      })
    })
  }

  listenTcp(): never {
    throw new Error('not in this test')
  }
  serveHttp(): never {
    throw new Error('not in this test')
  }
  connectTcp(): never {
    throw new Error('not in this test')
  }
  resolveDns(): never {
    throw new Error('not in this test')
  }
  connectUnix(): never {
    throw new Error('not in this test')
  }
}
