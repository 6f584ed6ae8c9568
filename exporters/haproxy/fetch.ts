/** Where HAProxy's statistics come from: the CSV page over HTTP(S), the administration socket, or a file. */
import type { Clock, Disk, Net } from '../../protocol/env/mod.ts'
import { FlagError } from '../contract.ts'
import { textExchange } from '../exchange.ts'

export type Statistics = {
  readonly csv: string
  /** Answer to `show info`, which only the socket gives. */
  readonly info: string | null
}

export type FetchOptions = {
  readonly net: Pick<Net, 'connectUnix' | 'request'>
  readonly disk: Disk
  readonly clock: Clock
  readonly timeoutMs: number
  readonly verifyTls: boolean
}

/** A proxy of 20,000 servers says about 8 MB. */
const MAX_BYTES = 64 * 2 ** 20

/** @throws FlagError for a URI that it cannot use; the function rejects for what cannot be fetched */
export function statisticsFetcher(uri: string, options: FetchOptions): () => Promise<Statistics> {
  let url: URL
  try {
    url = new URL(uri)
  } catch {
    throw new FlagError('haproxy.scrape-uri', `"${uri}" is not a URI`)
  }
  const path = decodeURIComponent(url.pathname)
  if (url.protocol === 'http:' || url.protocol === 'https:') return () => fromPage(url, options)
  if (url.protocol === 'unix:') return () => fromSocket(path, options)
  if (url.protocol === 'file:') return async () => ({ csv: options.disk.readText(path), info: null })
  throw new FlagError('haproxy.scrape-uri', `unsupported scheme: "${url.protocol.slice(0, -1)}"`)
}

async function fromPage(url: URL, { net, timeoutMs, verifyTls }: FetchOptions): Promise<Statistics> {
  const bare = new URL(url)
  bare.username = ''
  bare.password = ''
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  const headers: Record<string, string> = credentials === ':' ? {} : { authorization: `Basic ${base64(credentials)}` }
  const response = await net.request({
    method: 'GET',
    url: bare.href,
    headers,
    timeoutMs,
    maxBodyBytes: MAX_BYTES,
    maxRedirects: 10,
    tls: { insecureSkipVerify: !verifyTls },
  })
  if (response.status < 200 || response.status > 299) throw new Error(`HTTP status ${response.status}`)
  return { csv: new TextDecoder().decode(response.body), info: null }
}

/** One connection per command: HAProxy closes after its answer unless told `prompt`. */
async function fromSocket(path: string, { net, clock, timeoutMs }: FetchOptions): Promise<Statistics> {
  const ask = async (command: string): Promise<string> => {
    const exchange = textExchange(await net.connectUnix(path, { timeoutMs }), clock, { timeoutMs, maxBytes: MAX_BYTES })
    try {
      return await exchange.ask(`${command}\n`, null)
    } finally {
      exchange.close()
    }
  }
  const info = await ask('show info')
  return { info, csv: await ask('show stat') }
}

function base64(text: string): string {
  let binary = ''
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte)
  return btoa(binary)
}
