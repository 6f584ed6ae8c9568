/**
 * Values and messages of D-Bus, little-endian. Semantics: D-Bus specification 0.43, "Message Protocol". Numbers of 64
 * bits come as bigint, structs as arrays, dictionaries as arrays of pairs, variants as their value.
 */
export type DBusValue = string | number | bigint | boolean | readonly DBusValue[]

export class DBusFormatError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'DBusFormatError'
  }
}

/** What nests deeper is refused, as the specification does. */
const MAX_DEPTH = 64
const TEXT = new TextDecoder()
const BYTES = new TextEncoder()

/** Bytes each basic type takes, which is its alignment too. */
const FIXED: Readonly<Record<string, number>> = { y: 1, n: 2, q: 2, i: 4, u: 4, b: 4, h: 4, x: 8, t: 8, d: 8 }

function alignment(type: string): number {
  const fixed = FIXED[type]
  if (fixed !== undefined) return fixed
  return type === '(' || type === '{' ? 8 : type === 'g' || type === 'v' ? 1 : 4
}

/** The end of the single complete type at `at`. */
function typeEnd(signature: string, at: number, depth = 0): number {
  if (depth > MAX_DEPTH) throw new DBusFormatError(`Signature nests deeper than ${MAX_DEPTH}`)
  const type = signature[at]
  if (type === 'a') return typeEnd(signature, at + 1, depth + 1)
  if (type !== '(' && type !== '{') {
    if (type === undefined || !'ynqiubhxtdsogv'.includes(type))
      throw new DBusFormatError(`Unknown type "${type ?? ''}" in signature "${signature}"`)
    return at + 1
  }
  const close = type === '(' ? ')' : '}'
  let end = at + 1
  // One without members takes no bytes, and an array of them would have no end.
  if (signature[end] === close) throw new DBusFormatError(`Empty struct in signature "${signature}"`)
  while (signature[end] !== close) end = typeEnd(signature, end, depth + 1)
  return end + 1
}

export class DBusReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at: number

  /** @param at alignment counts from the start of `bytes` */
  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#at = at
  }

  get position(): number {
    return this.#at
  }

  align(to: number): void {
    this.#at = Math.ceil(this.#at / to) * to
  }

  /** Every value of a signature. @throws DBusFormatError for bytes that are not of it */
  readAll(signature: string, depth = 0): DBusValue[] {
    const out: DBusValue[] = []
    for (let at = 0; at < signature.length; ) {
      const end = typeEnd(signature, at)
      out.push(this.#read(signature.slice(at, end), depth))
      at = end
    }
    return out
  }

  #take(length: number): number {
    const at = this.#at
    if (length > this.#bytes.length - at)
      throw new DBusFormatError(`${length} bytes expected at ${at} of a message of ${this.#bytes.length}`)
    this.#at = at + length
    return at
  }

  #read(type: string, depth: number): DBusValue {
    if (depth > MAX_DEPTH) throw new DBusFormatError(`Values nest deeper than ${MAX_DEPTH}`)
    const first = type[0]!
    this.align(alignment(first))
    const fixed = FIXED[first]
    if (fixed !== undefined) return this.#fixed(first, this.#take(fixed))
    if (first === 's' || first === 'o') return this.#text(this.#view.getUint32(this.#take(4), true))
    if (first === 'g') return this.#text(this.#bytes[this.#take(1)]!)
    if (first === 'v') return this.#variant(depth)
    if (first === 'a') return this.#array(type.slice(1), depth)
    return this.readAll(type.slice(1, -1), depth + 1)
  }

  #fixed(type: string, at: number): DBusValue {
    const view = this.#view
    switch (type) {
      case 'y':
        return view.getUint8(at)
      case 'n':
        return view.getInt16(at, true)
      case 'q':
        return view.getUint16(at, true)
      case 'i':
        return view.getInt32(at, true)
      case 'b':
        return view.getUint32(at, true) !== 0
      case 'x':
        return view.getBigInt64(at, true)
      case 't':
        return view.getBigUint64(at, true)
      case 'd':
        return view.getFloat64(at, true)
      default:
        return view.getUint32(at, true)
    }
  }

  /** Zero-terminated; the length is without the zero. */
  #text(length: number): string {
    const at = this.#take(length + 1)
    return TEXT.decode(this.#bytes.subarray(at, at + length))
  }

  #variant(depth: number): DBusValue {
    const signature = this.#text(this.#bytes[this.#take(1)]!)
    const values = this.readAll(signature, depth + 1)
    if (values.length !== 1) throw new DBusFormatError(`Variant of ${values.length} values, "${signature}"`)
    return values[0]!
  }

  #array(element: string, depth: number): DBusValue[] {
    const length = this.#view.getUint32(this.#take(4), true)
    this.align(alignment(element[0] ?? ''))
    const end = this.#at + length
    if (end > this.#bytes.length)
      throw new DBusFormatError(`Array of ${length} bytes at ${this.#at} of a message of ${this.#bytes.length}`)
    const out: DBusValue[] = []
    while (this.#at < end) out.push(this.#read(element, depth + 1))
    return out
  }
}

export type DBusMessage = {
  readonly kind: 'call' | 'return' | 'error' | 'signal'
  readonly replySerial: number
  /** Of an error. */
  readonly errorName: string
  readonly body: readonly DBusValue[]
}

const KINDS = [null, 'call', 'return', 'error', 'signal'] as const
const FIELD = { path: 1, interface: 2, member: 3, errorName: 4, replySerial: 5, destination: 6, signature: 8 } as const
const FIXED_HEADER_BYTES = 16

/** Length of the message that begins here; null while its header is not there. @throws DBusFormatError */
export function messageLength(bytes: Uint8Array, maxBytes: number): number | null {
  if (bytes.length < FIXED_HEADER_BYTES) return null
  if (bytes[0] !== 'l'.charCodeAt(0)) throw new DBusFormatError(`Little-endian message expected, got ${bytes[0]}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const fields = Math.ceil((FIXED_HEADER_BYTES + view.getUint32(12, true)) / 8) * 8
  const total = fields + view.getUint32(4, true)
  if (total > maxBytes) throw new DBusFormatError(`Message of ${total} bytes; at most ${maxBytes} are read`)
  return total
}

/** @param bytes one whole message */
export function decodeMessage(bytes: Uint8Array): DBusMessage {
  const kind = KINDS[bytes[1]!]
  if (!kind) throw new DBusFormatError(`Unknown message type ${bytes[1]}`)
  const reader = new DBusReader(bytes, FIXED_HEADER_BYTES - 4)
  const [fields] = reader.readAll('a(yv)') as [readonly (readonly [number, DBusValue])[]]
  const field = (code: number): DBusValue | undefined => fields.find(([each]) => each === code)?.[1]
  reader.align(8)
  const body = bytes.subarray(reader.position)
  return {
    kind,
    replySerial: Number(field(FIELD.replySerial) ?? 0),
    errorName: String(field(FIELD.errorName) ?? ''),
    body: new DBusReader(body).readAll(String(field(FIELD.signature) ?? '')),
  }
}

export type DBusCall = {
  readonly destination: string
  readonly path: string
  readonly interface: string
  readonly member: string
  /** Strings are all that is asked with. */
  readonly arguments: readonly string[]
}

export function encodeCall(call: DBusCall, serial: number): Uint8Array {
  const body = new ByteList()
  for (const text of call.arguments) body.text(text)
  const out = new ByteList()
  out.bytes(['l'.charCodeAt(0), 1, 0, 1])
  out.u32(body.length)
  out.u32(serial)
  const fields = new ByteList()
  const add = (code: number, type: string, value: string): void => {
    fields.align(8)
    fields.bytes([code, 1, type.charCodeAt(0), 0])
    if (type === 'g') fields.bytes([value.length, ...BYTES.encode(value), 0])
    else fields.text(value)
  }
  add(FIELD.path, 'o', call.path)
  if (call.destination !== '') add(FIELD.destination, 's', call.destination)
  add(FIELD.interface, 's', call.interface)
  add(FIELD.member, 's', call.member)
  if (call.arguments.length > 0) add(FIELD.signature, 'g', 's'.repeat(call.arguments.length))
  out.u32(fields.length)
  out.bytes(fields.list)
  out.align(8)
  out.bytes(body.list)
  return Uint8Array.from(out.list)
}

class ByteList {
  readonly list: number[] = []

  get length(): number {
    return this.list.length
  }

  bytes(bytes: Iterable<number>): void {
    for (const byte of bytes) this.list.push(byte)
  }

  align(to: number): void {
    while (this.list.length % to !== 0) this.list.push(0)
  }

  u32(value: number): void {
    this.list.push(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24)
  }

  text(value: string): void {
    const encoded = BYTES.encode(value)
    this.align(4)
    this.u32(encoded.length)
    this.bytes(encoded)
    this.list.push(0)
  }
}
