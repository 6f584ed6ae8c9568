/** The WebSocket prober, RFC 6455 as a client of text messages. Semantics: blackbox_exporter prober/websocket.go (v0.28). */
import { joinBytes } from '../../protocol/bytes/mod.ts'
import { type ByteSocket, NetError } from '../../protocol/env/mod.ts'
import { bareHost } from './http-hop.ts'
import { readHead, writeHead } from './http1.ts'
import { bytesOf, leftMs, type ProbeContext, ProbeFailure, resolve, step } from './probe.ts'
import { matchOf } from './query-response.ts'
import { ByteStream } from './stream.ts'

const MAX_MESSAGE_BYTES = 1 << 20
const TEXT = 1
const CLOSE = 8
const PING = 9
const PONG = 10

export async function probeWebsocket(context: ProbeContext): Promise<void> {
  const { page, module, deps } = context
  const { websocket } = module
  const url = await step('Could not parse target URL', context, () => new URL(context.target))
  if ((url.protocol !== 'ws:' && url.protocol !== 'wss:') || url.username + url.password !== '')
    throw new ProbeFailure('Could not parse target URL', { err: 'malformed ws or wss URL' })
  page.register(
    'probe_websocket_connection_upgraded',
    'probe_websocket_status_code',
    'probe_websocket_failed_due_to_regex',
  )
  const tls = await step('Error creating TLS config', context, () => deps.access.tls(websocket.client.tls))
  const host = bareHost(url)
  const { address, seconds } = await resolve(context, host, websocket.addressing)
  page.set('probe_websocket_duration_seconds', seconds, { phase: 'resolve' })
  const isSecure = url.protocol === 'wss:'
  const started = deps.clock.monotonic()
  const phase = (name: string, from: number): number => {
    const now = deps.clock.monotonic()
    page.set('probe_websocket_duration_seconds', (now - from) / 1000, { phase: name })
    return now
  }
  let socket: ByteSocket | null = null
  try {
    await step('Error dialing websocket', context, async () => {
      const place = { host: address, port: Number(url.port || (isSecure ? 443 : 80)) }
      socket = await deps.net.connect(place, { timeoutMs: leftMs(context) })
      const connected = phase('connect', started)
      if (isSecure) {
        const tlsHost = tls.serverName ?? host
        socket = (
          await deps.net.startTls(socket, { host: tlsHost, tls, timeoutMs: leftMs(context), alpn: ['http/1.1'] })
        ).socket
        phase('tls', connected)
      }
    })
    const stream = new ByteStream(socket!, deps.clock, context.deadlineMs)
    const handshake = deps.clock.monotonic()
    await step('Error dialing websocket', context, () => upgrade(context, stream, url))
    phase('upgrade', handshake)
    page.set('probe_websocket_connection_upgraded', 1)
    await converse(context, stream)
  } finally {
    ;(socket as ByteSocket | null)?.destroy()
  }
}

async function upgrade(context: ProbeContext, stream: ByteStream, url: URL): Promise<void> {
  const { deps, module, page } = context
  const { websocket } = module
  const key = btoa(String.fromCharCode(...deps.random.bytes(16)))
  stream.write(
    writeHead({
      method: 'GET',
      target: `${url.pathname}${url.search}`,
      headers: [
        ['Host', url.host],
        ['Upgrade', 'websocket'],
        ['Connection', 'Upgrade'],
        ['Sec-WebSocket-Key', key],
        ['Sec-WebSocket-Version', '13'],
        ...Object.entries(await deps.access.headers(websocket.client)),
        ...Object.entries(websocket.headers),
      ],
    }),
  )
  const { status } = await readHead(stream, 'GET')
  page.set('probe_websocket_status_code', status)
  if (status !== 101) throw new NetError('PROTOCOL', 'websocket: bad handshake')
}

/** As upstream, what was expected and did not come is told by a metric alone: the probe is a success. */
async function converse(context: ProbeContext, stream: ByteStream): Promise<void> {
  const { module, page, log } = context
  for (const { expect, send } of module.websocket.queryResponse) {
    let text = send
    if (expect !== null) {
      const message = await nextMessage(context, stream).catch((error: unknown) => {
        log.error('Error reading message', { err: (error as Error).message })
        return null
      })
      const match = message === null ? null : matchOf(expect, message)
      if (match === null) {
        log.error('Regexp did not match', { regexp: expect.source, line: message ?? '' })
        page.set('probe_websocket_failed_due_to_regex', 1)
        return
      }
      log.debug('regexp matched', { regexp: expect.source, line: message })
      text = match.expand(send)
    }
    if (text === '') continue
    stream.write(frame(context, TEXT, bytesOf(text)))
    log.debug('message sent', { message: text })
  }
}

async function nextMessage(context: ProbeContext, stream: ByteStream): Promise<string> {
  const parts: Uint8Array[] = []
  for (let total = 0; ; ) {
    const [first = 0, second = 0] = await stream.readExactly(2)
    const opcode = first & 0x0f
    const length = await lengthOf(stream, second & 0x7f)
    total += length
    if (total > MAX_MESSAGE_BYTES) throw new NetError('BODY_TOO_LARGE', 'websocket: the message is too large')
    const payload = await stream.readExactly(length)
    if (opcode === CLOSE) throw new NetError('UNEXPECTED_EOF', 'websocket: close')
    if (opcode === PING) stream.write(frame(context, PONG, payload))
    if (opcode >= CLOSE) continue
    parts.push(payload)
    if (first & 0x80) return new TextDecoder().decode(joinBytes(parts))
  }
}

async function lengthOf(stream: ByteStream, short: number): Promise<number> {
  if (short < 126) return short
  const bytes = await stream.readExactly(short === 126 ? 2 : 8)
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0)
}

/** Clients mask what they send. */
function frame({ deps }: ProbeContext, opcode: number, payload: Uint8Array): Uint8Array {
  const mask = deps.random.bytes(4)
  const { length } = payload
  const size = length < 126 ? [0x80 | length] : length < 65_536 ? [0xfe, length >> 8, length & 0xff] : null
  if (size === null) throw new NetError('BODY_TOO_LARGE', 'websocket: the message is too large')
  return Uint8Array.from([0x80 | opcode, ...size, ...mask, ...payload.map((byte, i) => byte ^ mask[i % 4]!)])
}
