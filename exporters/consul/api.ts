/**
 * Questions to a Consul agent or server over its HTTP API. Semantics: github.com/hashicorp/consul/api, as
 * consul_exporter asks it (v0.13).
 */
import type { HttpResponse, Net, TlsOptions } from '../../protocol/env/mod.ts'

export type ConsulAccess = {
  readonly net: Pick<Net, 'request'>
  /** `http://host:port`, no path. */
  readonly base: string
  /** Of one question. */
  readonly timeoutMs: number
  /** How many questions may be under way at once. */
  readonly concurrency: number
  readonly tls: TlsOptions | null
  readonly headers: Readonly<Record<string, string>>
  /** Of every question that the catalogue answers. */
  readonly query: Readonly<Record<string, string>>
}

/** A catalogue of 100,000 checks is some 50 MB. */
const MAX_BODY_BYTES = 64 * 2 ** 20

export class ConsulApi {
  readonly #access: ConsulAccess
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(access: ConsulAccess) {
    this.#access = access
  }

  /** @throws NetError, and Error for an answer other than 200 or one that is no JSON */
  async get(path: string, query: Readonly<Record<string, string>> = {}): Promise<unknown> {
    const response = await this.#ask(path, query)
    if (response.status !== 200) throw statusError(path, response)
    return parseBody(path, response)
  }

  /** With the parameters of consistency. */
  read(path: string, query: Readonly<Record<string, string>> = {}): Promise<unknown> {
    return this.get(path, { ...query, ...this.#access.query })
  }

  /** As `read`; null where there is nothing at the path. */
  async readIfThere(path: string, query: Readonly<Record<string, string>>): Promise<unknown> {
    const response = await this.#ask(path, { ...query, ...this.#access.query })
    if (response.status === 404) return null
    if (response.status !== 200) throw statusError(path, response)
    return parseBody(path, response)
  }

  /** The agent says how a service is by its status, too: 429 for warning, 503 for critical; 404 is no such service. */
  async agentHealth(service: string): Promise<unknown> {
    const path = `/v1/agent/health/service/name/${pathOf(service)}`
    const response = await this.#ask(path, { format: 'json' })
    if (response.status === 404) return []
    if (![200, 429, 503].includes(response.status)) throw statusError(path, response)
    return parseBody(path, response)
  }

  async #ask(path: string, query: Readonly<Record<string, string>>): Promise<HttpResponse> {
    const { net, base, timeoutMs, tls, headers, concurrency } = this.#access
    const parameters = new URLSearchParams(query).toString()
    if (this.#running >= concurrency) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#running++
    try {
      return await net.request({
        method: 'GET',
        url: `${base}${path}${parameters === '' ? '' : `?${parameters}`}`,
        headers,
        timeoutMs,
        maxBodyBytes: MAX_BODY_BYTES,
        ...(tls ? { tls } : {}),
      })
    } finally {
      // The place goes to whoever waits longest.
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }
}

/** Slashes in names stay, as Go's client leaves them. */
export const pathOf = (name: string): string => name.split('/').map(encodeURIComponent).join('/')

function statusError(path: string, { status, body }: HttpResponse): Error {
  const said = new TextDecoder().decode(body.subarray(0, 200)).trim()
  return new Error(`${path}: Unexpected response code: ${status} (${said})`)
}

function parseBody(path: string, { body }: HttpResponse): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body))
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error })
  }
}
