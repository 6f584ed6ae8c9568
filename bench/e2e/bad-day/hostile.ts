/** Targets that should not be: each answers a scrape in its own bad way, for as long as it is let. */
import { randomBytes } from 'node:crypto'
import net from 'node:net'
import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'

export type HostileTarget = {
  readonly kind: string
  readonly address: string
  readonly scheme: 'http' | 'https'
  /** What the targets API must say of it; null: it is hostile by what it shows, and is up. */
  readonly error: RegExp | null
  /** Connections so far: it was really asked. */
  readonly visits: () => number
}

type Behaviour = readonly [kind: string, error: RegExp | null, answer: (socket: net.Socket, self: string) => void]

const OK = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\n'
/** Its own limit, or that of all bodies together, or (on a slow host) the time. */
const TOO_LARGE = /body size limit|Too many large bodies|deadline/
const TIMEOUT = /deadline exceeded|timeout|timed out/i

const body = (text: string | Buffer): Buffer => {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.from(`${OK}content-length: ${bytes.length}\r\n\r\n`), bytes])
}

/** Writes the piece for ever, as fast as the reader takes it. */
function pour(socket: net.Socket, piece: string): void {
  const write = (): void => {
    while (!socket.destroyed && socket.write(piece));
  }
  socket.on('drain', write)
  write()
}

/** First this, then that for ever. */
const thenPour =
  (head: string, piece: string) =>
  (socket: net.Socket): void => {
    socket.write(head)
    pour(socket, piece)
  }

function drip(socket: net.Socket, piece: string): void {
  const timer = setInterval(() => socket.write(piece), 1000)
  socket.on('close', () => clearInterval(timer))
}

const LINES = 'endless_total{a="b"} 1\n'.repeat(400)
const manySeries = Array.from({ length: 250_000 }, (_, i) => `many{i="${i}"} 1\n`).join('')

/** A million lines within the limit of a body. */
const million = Buffer.alloc(15_000_000)
for (let i = 0; i < 1_000_000; i++) million.write(`m{a="${i.toString(36).padStart(5, '0')}"} 1\n`, 15 * i, 'latin1')
let flaps = 0
const flapping = (): string =>
  Array.from({ length: 100 }, (_, i) => `flapping{i="${i}",life="${flaps}"} 1\n`).join('') + `flaps ${flaps++}\n`

const BEHAVIOURS: readonly Behaviour[] = [
  [
    'slow',
    TIMEOUT,
    (socket) => {
      socket.write(`${OK}\r\n`)
      drip(socket, 'x')
    },
  ],
  ['slow-headers', TIMEOUT, (socket) => drip(socket, 'H')],
  ['stalled', TIMEOUT, () => {}],
  ['stalled-in-body', TIMEOUT, (socket) => void socket.write(`${OK}content-length: 100\r\n\r\nx 1\n`)],
  ['endless', TOO_LARGE, thenPour(`${OK}\r\n`, LINES)],
  ['endless-line', TOO_LARGE, thenPour(`${OK}\r\n`, 'x'.repeat(9000))],
  ['endless-headers', /header|overflow/i, thenPour('HTTP/1.1 200 OK\r\n', `x-a: ${'b'.repeat(900)}\r\n`)],
  ['huge', /body size limit/, thenPour(`${OK}content-length: ${64 << 20}\r\n\r\n`, LINES)],
  ['cut-short', /unexpected EOF/, (socket) => void socket.end(`${OK}content-length: 100000\r\n\r\nx 1\n`)],
  [
    'reset',
    /reset|EOF/i,
    (socket) => {
      socket.write(`${OK}content-length: 100000\r\n\r\nx 1\n`)
      setTimeout(() => socket.resetAndDestroy(), 20)
    },
  ],
  [
    'redirects',
    /redirect/i,
    (socket, self) =>
      void socket.end(`HTTP/1.1 302 Found\r\nlocation: http://${self}/metrics?again\r\ncontent-length: 0\r\n\r\n`),
  ],
  [
    'redirect-to-link-local',
    /link-local/,
    (socket) =>
      void socket.end(
        'HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest/meta-data\r\ncontent-length: 0\r\n\r\n',
      ),
  ],
  ['tls-junk', /tls|TLS|EOF|reset/, (socket) => void socket.end(randomBytes(20_000))],
  ['flapping-labels', null, (socket) => void socket.end(body(flapping()))],
  [
    'bad-utf-8',
    /utf-?8/i,
    (socket) => void socket.end(body(Buffer.from([...Buffer.from('x{a="'), 0xff, 0xfe, ...Buffer.from('"} 1\n')]))),
  ],
  ['huge-line', /.+/, (socket) => void socket.end(body(`x{a="${'y'.repeat(17 << 20)}"} 1\n`))],
  [
    'ten-megabyte-line',
    /longer than|Too many large bodies|deadline/,
    (socket) => void socket.end(body(`x{a="${'y'.repeat(10 << 20)}"} 1\n`)),
  ],
  ['no-exposition', /.+/, (socket) => void socket.end(body('<html><body>It works!</body></html>\n'))],
  ['many-series', /sample limit|sample_limit/i, (socket) => void socket.end(body(manySeries))],
  ['million-series', /sample limit|Too many large bodies|deadline/, (socket) => void socket.end(body(million))],
  ['no-http', /malformed|parse|HTTP/i, (socket) => void socket.end('SSH-2.0-OpenSSH_9.2\r\n')],
  ['status-500', /500/, (socket) => void socket.end('HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n')],
]

/** Starts one of each. */
export async function hostileTargets(): Promise<{
  readonly targets: readonly HostileTarget[]
  readonly close: () => Promise<void>
}> {
  const bombs = await gzipBombs()
  const servers: { server: net.Server; sockets: Set<net.Socket> }[] = []
  const targets: HostileTarget[] = []
  for (const [kind, error, answer] of [...BEHAVIOURS, ...bombs]) {
    let visits = 0
    let self = ''
    const sockets = new Set<net.Socket>()
    const server = net.createServer((socket) => {
      visits++
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
      socket.once('data', () => answer(socket, self))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    self = `127.0.0.1:${(server.address() as net.AddressInfo).port}`
    servers.push({ server, sockets })
    const scheme = kind.startsWith('tls') ? 'https' : 'http'
    targets.push({ kind, scheme, error, address: self, visits: () => visits })
  }
  const close = async (): Promise<void> => {
    for (const { server, sockets } of servers) {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    }
  }
  return { targets, close }
}

/** A quarter of a gigabyte in a quarter of a megabyte: of zeros, and of good lines. */
async function gzipBombs(): Promise<Behaviour[]> {
  const squeeze = promisify(gzip)
  const level = { level: constants.Z_BEST_SPEED }
  const answer = (bytes: Buffer) => (socket: net.Socket) => {
    socket.write(`${OK}content-encoding: gzip\r\ncontent-length: ${bytes.length}\r\n\r\n`)
    socket.end(bytes)
  }
  const zeros = await squeeze(Buffer.alloc(256 << 20), level)
  const lines = await squeeze(Buffer.alloc(256 << 20, LINES), level)
  return [
    ['gzip-bomb', TOO_LARGE, answer(zeros)],
    ['gzip-bomb-of-lines', TOO_LARGE, answer(lines)],
    ['not-gzip', /gzip/i, answer(Buffer.from('x 1\n'))],
  ]
}
