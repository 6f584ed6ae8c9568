/**
 * DNS messages as bytes, and resource records as text in the form of zone files. Semantics: RFC 1035, RFC 3597;
 * spelling of records: github.com/miekg/dns, RR.String, which upstream's expressions are written against.
 */
import { className, typeName } from './dns-names.ts'

export type DnsQuestion = {
  readonly id: number
  /** Without the root's dot, or with it. */
  readonly name: string
  readonly type: number
  readonly dnsClass: number
  readonly recursion: boolean
}

export type DnsRecordText = { readonly type: number; readonly text: string; readonly serial: number | null }
export type DnsMessage = {
  readonly id: number
  readonly rcode: number
  readonly isTruncated: boolean
  readonly answer: readonly DnsRecordText[]
  readonly authority: readonly DnsRecordText[]
  readonly additional: readonly DnsRecordText[]
}

const SOA = 6
const OPT = 41
/** More than any name needs; a loop of pointers ends here. */
const MAX_POINTERS = 64

/** @throws Error for a name that no message holds */
export function encodeQuestion({ id, name, type, dnsClass, recursion }: DnsQuestion): Uint8Array {
  const labels = name.replace(/\.$/, '') === '' ? [] : name.replace(/\.$/, '').split('.')
  const encoded = labels.map((label) => new TextEncoder().encode(label))
  const length = encoded.reduce((sum, bytes) => sum + bytes.length + 1, 1)
  if (length > 255 || encoded.some((bytes) => bytes.length === 0 || bytes.length > 63))
    throw new Error(`dns: bad name ${JSON.stringify(name)}`)
  const out = new Uint8Array(12 + length + 4)
  const view = new DataView(out.buffer)
  view.setUint16(0, id)
  view.setUint16(2, recursion ? 0x0100 : 0)
  view.setUint16(4, 1)
  let at = 12
  for (const bytes of encoded) {
    out[at] = bytes.length
    out.set(bytes, at + 1)
    at += bytes.length + 1
  }
  view.setUint16(at + 1, type)
  view.setUint16(at + 3, dnsClass)
  return out
}

/** @throws Error for what is no message */
export function decodeMessage(bytes: Uint8Array): DnsMessage {
  const reader = new Reader(bytes)
  const id = reader.u16()
  const flags = reader.u16()
  const [questions, answers, authorities, additionals] = [reader.u16(), reader.u16(), reader.u16(), reader.u16()]
  for (let i = 0; i < questions && !reader.isAtEnd; i++) {
    reader.name()
    reader.skip(4)
  }
  const isTruncated = (flags & 0x0200) !== 0
  const section = (count: number): DnsRecordText[] => {
    const out: DnsRecordText[] = []
    for (let i = 0; i < count; i++) {
      // What was cut off is not there, and a count of more than that is no fault, as miekg/dns has it.
      if (reader.isAtEnd) break
      out.push(record(reader))
    }
    return out
  }
  const answer = section(answers)
  const authority = section(authorities)
  return { id, rcode: flags & 0x0f, isTruncated, answer, authority, additional: section(additionals) }
}

function record(reader: Reader): DnsRecordText {
  const name = reader.name()
  const type = reader.u16()
  const dnsClass = reader.u16()
  const ttl = reader.u32()
  const length = reader.u16()
  const end = reader.at + length
  const data = reader.part(length)
  const head = `${name}\t${ttl}\t${className(dnsClass)}\t${typeName(type)}\t`
  if (type === OPT) return { type, text: `;; OPT PSEUDOSECTION: udp: ${dnsClass}`, serial: null }
  const write = Object.hasOwn(DATA, type) ? DATA[type]! : unknownData
  const text = head + write(data)
  const serial = type === SOA ? soaSerial(reader, end, length) : null
  reader.at = end
  return { type, text, serial }
}

function soaSerial(reader: Reader, end: number, length: number): number {
  if (length < 20) throw new Error('dns: a SOA record is too short')
  return new DataView(reader.bytes.buffer, reader.bytes.byteOffset + end - 20).getUint32(0)
}

/** A reading position in a whole message, for names point back; `limit` ends the part that is read. */
class Reader {
  readonly bytes: Uint8Array
  readonly #view: DataView
  readonly limit: number
  at: number

  constructor(bytes: Uint8Array, at = 0, limit = bytes.length) {
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.at = at
    this.limit = limit
  }

  get isAtEnd(): boolean {
    return this.at >= this.limit
  }

  part(length: number): Reader {
    if (this.at + length > this.limit) throw new Error('dns: overflow unpacking data')
    return new Reader(this.bytes, this.at, this.at + length)
  }

  skip(count: number): void {
    this.at += count
    if (this.at > this.limit) throw new Error('dns: overflow unpacking data')
  }

  u8(): number {
    this.skip(1)
    return this.bytes[this.at - 1]!
  }

  u16(): number {
    this.skip(2)
    return this.#view.getUint16(this.at - 2)
  }

  u32(): number {
    this.skip(4)
    return this.#view.getUint32(this.at - 4)
  }

  rest(): Uint8Array {
    const out = this.bytes.subarray(this.at, this.limit)
    this.at = this.limit
    return out
  }

  take(count: number): Uint8Array {
    this.skip(count)
    return this.bytes.subarray(this.at - count, this.at)
  }

  /** With the root's dot at its end. */
  name(): string {
    let out = ''
    let position = this.at
    let after = -1
    for (let pointers = 0; ; ) {
      const length = this.bytes[position]
      if (length === undefined) throw new Error('dns: overflow unpacking a name')
      if (length === 0) {
        this.at = after < 0 ? position + 1 : after
        return out === '' ? '.' : out
      }
      if (length >= 0xc0) {
        if (++pointers > MAX_POINTERS) throw new Error('dns: too many compression pointers')
        if (after < 0) after = position + 2
        position = ((length & 0x3f) << 8) | (this.bytes[position + 1] ?? 0)
        continue
      }
      if (length > 63 || position + 1 + length > this.bytes.length) throw new Error('dns: bad label')
      out += `${escapedLabel(this.bytes.subarray(position + 1, position + 1 + length))}.`
      if (out.length > 1024) throw new Error('dns: a name is too long')
      position += 1 + length
    }
  }
}

function escapedLabel(bytes: Uint8Array): string {
  let out = ''
  for (const byte of bytes) {
    const char = String.fromCharCode(byte)
    if (byte < 0x21 || byte > 0x7e) out += `\\${String(byte).padStart(3, '0')}`
    else out += /[."'@;()\\]/.test(char) ? `\\${char}` : char
  }
  return out
}

type Write = (data: Reader) => string

const oneName: Write = (data) => data.name()
const numberAndName: Write = (data) => `${data.u16()} ${data.name()}`
const texts: Write = (data) => {
  const out: string[] = []
  while (!data.isAtEnd) out.push(quoted(data.take(data.u8())))
  return out.join(' ')
}
const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
const base64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes))

function quoted(bytes: Uint8Array): string {
  let out = ''
  for (const byte of bytes) {
    if (byte === 0x22 || byte === 0x5c) out += `\\${String.fromCharCode(byte)}`
    else out += byte < 0x20 || byte > 0x7e ? `\\${String(byte).padStart(3, '0')}` : String.fromCharCode(byte)
  }
  return `"${out}"`
}

/** Data of records by type; others are written as RFC 3597 has it. */
const DATA: Readonly<Record<number, Write>> = {
  1: (data) => data.take(4).join('.'),
  ...Object.fromEntries([2, 3, 4, 5, 7, 8, 9, 12, 39].map((type) => [type, oneName])),
  [SOA]: (data) => {
    const [ns, mailbox] = [data.name(), data.name()]
    return [ns, mailbox, ...Array.from({ length: 5 }, () => data.u32())].join(' ')
  },
  13: texts,
  15: numberAndName,
  16: texts,
  17: (data) => `${data.name()} ${data.name()}`,
  18: numberAndName,
  28: (data) => v6Text(data.take(16)),
  33: (data) => `${data.u16()} ${data.u16()} ${data.u16()} ${data.name()}`,
  35: (data) => {
    const numbers = `${data.u16()} ${data.u16()}`
    const fields = Array.from({ length: 3 }, () => quoted(data.take(data.u8())))
    return `${numbers} ${fields.join(' ')} ${data.name()}`
  },
  36: numberAndName,
  43: (data) => `${data.u16()} ${data.u8()} ${data.u8()} ${hex(data.rest()).toUpperCase()}`,
  44: (data) => `${data.u8()} ${data.u8()} ${hex(data.rest()).toUpperCase()}`,
  46: (data) => {
    const head = `${typeName(data.u16())} ${data.u8()} ${data.u8()} ${data.u32()}`
    return `${head} ${timeText(data.u32())} ${timeText(data.u32())} ${data.u16()} ${data.name()} ${base64(data.rest())}`
  },
  47: (data) => `${data.name()}${typesOf(data)}`,
  48: (data) => `${data.u16()} ${data.u8()} ${data.u8()} ${base64(data.rest())}`,
  52: (data) => `${data.u8()} ${data.u8()} ${data.u8()} ${hex(data.rest())}`,
  99: texts,
  257: (data) => `${data.u8()} ${new TextDecoder('latin1').decode(data.take(data.u8()))} ${quoted(data.rest())}`,
}

const unknownData: Write = (data) => {
  const bytes = data.rest()
  return `\\# ${bytes.length} ${hex(bytes)}`
}

/** RFC 5952. */
function v6Text(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => (((bytes[2 * i]! << 8) | bytes[2 * i + 1]!) >>> 0).toString(16))
  const text = groups.join(':')
  const runs = [...text.matchAll(/(?:^|:)(?:0(?::|$)){2,}/g)].map(([run]) => run)
  if (runs.length === 0) return text
  const longest = runs.reduce((a, b) => (b.length > a.length ? b : a))
  return text.replace(longest, '::')
}

/** Seconds since 1970 as `YYYYMMDDHHmmSS`. */
const timeText = (seconds: number): string => new Date(seconds * 1000).toISOString().replace(/\D/g, '').slice(0, 14)

function typesOf(data: Reader): string {
  let out = ''
  while (!data.isAtEnd) {
    const window = data.u8()
    const bits = data.take(data.u8())
    bits.forEach((byte, i) => {
      for (let bit = 0; bit < 8; bit++) if (byte & (0x80 >> bit)) out += ` ${typeName(window * 256 + i * 8 + bit)}`
    })
  }
  return out
}
