/**
 * The client's side of the NATS protocol, read from bytes that may be split anywhere.
 * Semantics: nats-server server/parser.go. Memory: one control line (4 KiB) and one payload (max_payload) at most.
 *
 * One state machine, so it stays in one file: LINE collects a control line, PAYLOAD the bytes that PUB announced.
 */
export type ParseFailure =
  | 'unknown-operation'
  | 'bad-arguments'
  | 'control-line-too-long'
  | 'payload-too-large'
  /** Anything but CONNECT before CONNECT, where authentication is wanted. */
  | 'not-connected'
  /** The peer sent -ERR. */
  | 'peer-error'

export interface ProtocolSink {
  connect(json: string): void
  /** `data` is header (its first `headerBytes`, 0 without) and payload; borrowed from the input. */
  publish(subject: string, reply: string, headerBytes: number, data: Uint8Array): void
  subscribe(subject: string, queue: string, sid: string): void
  /** `max` 0: now. */
  unsubscribe(sid: string, max: number): void
  ping(): void
  pong(): void
  /** The parser takes no more input after this. */
  failed(reason: ParseFailure): void
}

export const MAX_CONTROL_LINE_BYTES = 4096

const LF = 10
const CR = 13
const OPERATIONS = ['connect', 'pub', 'hpub', 'sub', 'unsub', 'ping', 'pong', 'info', '+ok', '-err']
const LONGEST_OPERATION = 7
const EMPTY = new Uint8Array(0)

export class Parser {
  /** Set while only CONNECT is welcome. */
  connectOnly = false
  readonly #sink: ProtocolSink
  readonly #maxPayloadBytes: number
  #stopped = false
  #line: Uint8Array = EMPTY
  #lineBytes = 0
  /** -1: reading a line. */
  #payloadBytes = -1
  #payload: Uint8Array = EMPTY
  #payloadRead = 0
  #subject = ''
  #reply = ''
  #headerBytes = 0

  constructor(sink: ProtocolSink, maxPayloadBytes: number) {
    this.#sink = sink
    this.#maxPayloadBytes = maxPayloadBytes
  }

  /** Ignores what is left of the input and all that follows. */
  stop(): void {
    this.#stopped = true
    this.#line = this.#payload = EMPTY
  }

  push(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length && !this.#stopped)
      at = this.#payloadBytes >= 0 ? this.#readPayload(chunk, at) : this.#readLine(chunk, at)
  }

  #readLine(chunk: Uint8Array, from: number): number {
    const end = chunk.indexOf(LF, from)
    const bytes = (end < 0 ? chunk.length : end) - from
    if (this.#lineBytes + bytes > MAX_CONTROL_LINE_BYTES) {
      const start = latin1(this.#line, 0, this.#lineBytes) + latin1(chunk, from, from + LONGEST_OPERATION)
      this.#fail(couldBeOperation(start) ? 'control-line-too-long' : 'unknown-operation')
      return chunk.length
    }
    if (end >= 0 && this.#lineBytes === 0) {
      this.#operation(trimCr(latin1(chunk, from, end)))
      return end + 1
    }
    if (this.#line.length === 0) this.#line = new Uint8Array(MAX_CONTROL_LINE_BYTES)
    this.#line.set(chunk.subarray(from, from + bytes), this.#lineBytes)
    this.#lineBytes += bytes
    const line = latin1(this.#line, 0, end < 0 ? Math.min(this.#lineBytes, LONGEST_OPERATION) : this.#lineBytes)
    if (end < 0) {
      // Tell a stranger (an HTTP client, say) at once, not after 4 KiB.
      if (!couldBeOperation(line)) this.#fail('unknown-operation')
      return chunk.length
    }
    this.#lineBytes = 0
    this.#operation(trimCr(line))
    return end + 1
  }

  #operation(line: string): void {
    const blank = line.search(/[ \t]/)
    const operation = (blank < 0 ? line : line.slice(0, blank)).toLowerCase()
    const isConnect = operation === 'connect'
    // Without a blank nats-server never leaves the state of the operation's name, except for CONNECT, PING and PONG.
    const args = blank < 0 ? null : line.slice(blank + 1)
    if (this.connectOnly && !isConnect && isKnown(operation)) this.#fail('not-connected')
    else if (isConnect) args === null ? this.#fail('bad-arguments') : this.#sink.connect(args.trim())
    else if (operation.startsWith('ping')) this.#sink.ping()
    else if (operation.startsWith('pong')) this.#sink.pong()
    else if (operation === '-err') this.#fail('peer-error')
    else if (operation.startsWith('+ok')) return
    else if (args === null) this.#fail('unknown-operation')
    // Ends of lines are LF, so a stray CR or NUL could travel on to other clients within a subject.
    else if (/[\r\0]/.test(args)) this.#fail('bad-arguments')
    else if (operation === 'pub') this.#publish(splitBlanks(args), false)
    else if (operation === 'hpub') this.#publish(splitBlanks(args), true)
    else if (operation === 'sub') this.#subscribe(splitBlanks(args))
    else if (operation === 'unsub') this.#unsubscribe(splitBlanks(args))
    else if (operation !== 'info') this.#fail('unknown-operation')
  }

  #publish(words: readonly string[], hasHeader: boolean): void {
    const sizes = hasHeader ? 2 : 1
    const size = parseSize(words[words.length - 1])
    const headerBytes = hasHeader ? parseSize(words[words.length - 2]) : 0
    const isCounted = words.length === 1 + sizes || words.length === 2 + sizes
    if (!isCounted || size < 0 || headerBytes < 0 || headerBytes > size) {
      this.#fail('bad-arguments')
      return
    }
    if (size > this.#maxPayloadBytes) {
      this.#fail('payload-too-large')
      return
    }
    this.#subject = words[0]!
    this.#reply = words.length === 2 + sizes ? words[1]! : ''
    this.#headerBytes = headerBytes
    this.#payloadBytes = size
    this.#payloadRead = 0
  }

  #subscribe(words: readonly string[]): void {
    if (words.length === 2) this.#sink.subscribe(words[0]!, '', words[1]!)
    else if (words.length === 3) this.#sink.subscribe(words[0]!, words[1]!, words[2]!)
    else this.#fail('bad-arguments')
  }

  #unsubscribe(words: readonly string[]): void {
    if (words.length !== 1 && words.length !== 2) this.#fail('bad-arguments')
    else this.#sink.unsubscribe(words[0]!, words.length === 2 ? Math.max(0, parseSize(words[1])) : 0)
  }

  /** Payload and its CR LF; whole ones are passed on without a copy. */
  #readPayload(chunk: Uint8Array, from: number): number {
    const wanted = this.#payloadBytes + 2
    if (this.#payloadRead === 0 && chunk.length - from >= wanted) {
      this.#publishPayload(chunk.subarray(from, from + wanted))
      return from + wanted
    }
    if (this.#payloadRead === 0) this.#payload = new Uint8Array(wanted)
    const bytes = Math.min(wanted - this.#payloadRead, chunk.length - from)
    this.#payload.set(chunk.subarray(from, from + bytes), this.#payloadRead)
    this.#payloadRead += bytes
    if (this.#payloadRead === wanted) {
      const payload = this.#payload
      this.#payload = EMPTY
      this.#publishPayload(payload)
    }
    return from + bytes
  }

  #publishPayload(withEnd: Uint8Array): void {
    const size = this.#payloadBytes
    this.#payloadBytes = -1
    if (withEnd[size] !== CR || withEnd[size + 1] !== LF) this.#fail('unknown-operation')
    else this.#sink.publish(this.#subject, this.#reply, this.#headerBytes, withEnd.subarray(0, size))
  }

  #fail(reason: ParseFailure): void {
    if (this.#stopped) return
    this.stop()
    this.#sink.failed(reason)
  }
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  const end = Math.min(to, bytes.length)
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, Math.max(0, end - from)).toString('latin1')
}

function trimCr(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line
}

function splitBlanks(args: string): string[] {
  return args.split(/[ \t]+/).filter((word) => word !== '')
}

function couldBeOperation(start: string): boolean {
  const lower = start.toLowerCase()
  return OPERATIONS.some((operation) => operation.startsWith(lower) || lower.startsWith(operation))
}

function isKnown(operation: string): boolean {
  return OPERATIONS.some((known) => operation.startsWith(known))
}

/** -1 unless decimal digits of a sane length. */
function parseSize(word: string | undefined): number {
  return word !== undefined && /^\d{1,10}$/.test(word) ? Number(word) : -1
}
