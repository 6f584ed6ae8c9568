import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { decodeMessage, encodeQuestion } from '../../../exporters/blackbox/dns-message.ts'
import { makeCertificates, probe } from './kit.ts'

const bytes = (...parts: readonly (string | number | readonly number[] | Uint8Array)[]): number[] =>
  parts.flatMap((part) =>
    typeof part === 'string' ? [...Buffer.from(part, 'latin1')] : typeof part === 'number' ? [part] : [...part],
  )
const u16 = (value: number): number[] => [value >> 8, value & 0xff]
const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value & 0xffff)]
const name = (text: string): number[] => [...text.split('.').flatMap((label) => bytes(label.length, label)), 0]
/** The name of the question, which every record here is of. */
const POINTER = [0xc0, 12]
const record = (type: number, data: readonly number[], ttl = 300): number[] => [
  ...POINTER,
  ...u16(type),
  ...u16(1),
  ...u32(ttl),
  ...u16(data.length),
  ...data,
]
type Sections = {
  readonly answer?: readonly number[][]
  readonly authority?: readonly number[][]
  readonly additional?: readonly number[][]
}
const message = (id: number, { answer = [], authority = [], additional = [] }: Sections, flags = 0x8180): number[] => [
  ...u16(id),
  ...u16(flags),
  ...u16(1),
  ...[answer, authority, additional].flatMap((section) => u16(section.length)),
  ...name('www.example.com'),
  ...u16(1),
  ...u16(1),
  ...[...answer, ...authority, ...additional].flat(),
]

const soa = record(6, [...name('ns.example.com'), ...POINTER, ...[7, 3600, 600, 86_400, 60].flatMap(u32)])
const texts: readonly (readonly [type: number, data: readonly number[], text: string])[] = [
  [1, [127, 0, 0, 1], 'A\t127.0.0.1'],
  [28, [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 'AAAA\t2001:db8::1'],
  [28, new Array(16).fill(0), 'AAAA\t::'],
  [28, [0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1], 'AAAA\t1:0:0:1::1'],
  [5, name('other.example'), 'CNAME\tother.example.'],
  [5, POINTER, 'CNAME\twww.example.com.'],
  [15, [...u16(10), ...name('mail.example')], 'MX\t10 mail.example.'],
  [16, bytes(3, 'a"b', 2, 'c\n'), 'TXT\t"a\\"b" "c\\010"'],
  [33, [...u16(1), ...u16(2), ...u16(443), ...name('srv.example')], 'SRV\t1 2 443 srv.example.'],
  [257, bytes(0, 5, 'issue', 'ca.example'), 'CAA\t0 issue "ca.example"'],
  [43, [...u16(60_485), 5, 1, 0xab, 0xcd], 'DS\t60485 5 1 ABCD'],
  [48, [...u16(256), 3, 5, 1, 2, 3], 'DNSKEY\t256 3 5 AQID'],
  [52, [3, 1, 1, 0xab], 'TLSA\t3 1 1 ab'],
  [47, [...name('b.example'), 0, 1, 0x40], 'NSEC\tb.example. A'],
  [35, [...u16(1), ...u16(2), ...bytes(1, 'u', 3, 'sip', 0), 0], 'NAPTR\t1 2 "u" "sip" "" .'],
  [
    46,
    [...u16(1), 8, 2, ...u32(300), ...u32(0), ...u32(86_400), ...u16(7), ...name('example'), 1],
    'RRSIG\tA 8 2 300 19700101000000 19700102000000 7 example. AQ==',
  ],
  [6, soa.slice(12), 'SOA\tns.example.com. www.example.com. 7 3600 600 86400 60'],
  [65_280, [1, 2], 'TYPE65280\t\\# 2 0102'],
  [2, bytes(4, 'a.b\\', 0), 'NS\ta\\.b\\\\.'],
]
for (const [type, data, text] of texts)
  test(`a record of type ${type} is ${JSON.stringify(text)}`, () => {
    const { answer } = decodeMessage(Uint8Array.from(message(1, { answer: [record(type, data)] })))
    assert.equal(answer[0]!.text, `www.example.com.\t300\tIN\t${text}`)
  })

test('questions are what the name says, and names that no message holds are refused', () => {
  const question = { id: 258, name: 'a.bc', type: 1, dnsClass: 1, recursion: true }
  const header = [...u16(258), 1, 0, 0, 1, ...new Array(6).fill(0)]
  assert.deepEqual([...encodeQuestion(question)], [...header, ...name('a.bc'), 0, 1, 0, 1])
  assert.deepEqual([...encodeQuestion({ ...question, name: '.' }).slice(12, 13)], [0])
  for (const bad of ['a..b', `${'a'.repeat(64)}.b`, `${'abcdefg.'.repeat(40)}x`])
    assert.throws(() => encodeQuestion({ ...question, name: bad }), /bad name/)
})

const broken: readonly (readonly [what: string, message: readonly number[]])[] = [
  ['nothing', []],
  ['half a header', [0, 1, 2]],
  ['less than it says', message(1, { answer: [record(1, [127, 0, 0, 1])] }).slice(0, -2)],
  [
    'a name that points at itself',
    [...message(1, {}).slice(0, 4), ...u16(0), ...u16(1), ...u16(0), ...u16(0), 0xc0, 12, ...u16(1)],
  ],
  ['a label that is too long', [...message(1, {}).slice(0, 12), 0x80, 1]],
  ['a record whose data is too short', message(1, { answer: [record(15, [0])] })],
]
for (const [what, data] of broken)
  test(`a message of ${what} is refused`, () =>
    assert.throws(() => decodeMessage(Uint8Array.from(data)), /dns: |Offset/))

const closing: (() => void)[] = []
after(() => {
  for (const close of closing) close()
})

type Answer = (id: number, question: Buffer) => readonly number[] | null

async function udpServer(answer: Answer): Promise<string> {
  const socket = createSocket('udp4')
  socket.on('message', (question, from) => {
    const reply = answer(question.readUInt16BE(0), question)
    if (reply) socket.send(Uint8Array.from(reply), from.port, from.address)
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  closing.push(() => socket.close())
  return `127.0.0.1:${socket.address().port}`
}

async function tcpServer(answer: Answer, tls?: { cert: string; key: string }): Promise<string> {
  const handle = (socket: Socket): void => {
    socket.on('error', () => {})
    socket.on('data', (data: Buffer) => {
      const reply = answer(data.readUInt16BE(2), data.subarray(2))
      if (reply) socket.write(Uint8Array.from([...u16(reply.length), ...reply]))
    })
  }
  const server = tls ? createTlsServer(tls, handle) : createServer(handle)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  closing.push(() => server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const two: Sections = {
  answer: [record(1, [127, 0, 0, 1]), record(1, [127, 0, 0, 2])],
  authority: [record(2, name('ns.example'))],
  additional: [record(1, [10, 0, 0, 1])],
}
const module = (options: object = {}): object => ({
  prober: 'dns',
  dns: { query_name: 'www.example.com', preferred_ip_protocol: 'ip4', ...options },
})

const checks: readonly (readonly [what: string, options: object, flags: number, reason: string])[] = [
  ['an answer', {}, 0x8180, ''],
  ['NXDOMAIN', {}, 0x8183, 'Rcode is not one of the valid rcodes'],
  ['NXDOMAIN where it is valid', { valid_rcodes: ['NOERROR', 'NXDOMAIN'] }, 0x8183, ''],
  ['a code that nobody knows', { valid_rcodes: ['FINE'] }, 0x8180, 'Invalid rcode'],
  [
    'a record that must not be',
    { validate_answer_rrs: { fail_if_matches_regexp: ['127\\.0\\.0\\.2'] } },
    0x8180,
    'Answer RRs validation failed',
  ],
  [
    'records that all must be so',
    { validate_answer_rrs: { fail_if_not_matches_regexp: ['^www\\.example\\.com\\.\t300\tIN\tA\t127'] } },
    0x8180,
    '',
  ],
  [
    'one record that is not so',
    { validate_answer_rrs: { fail_if_not_matches_regexp: ['127\\.0\\.0\\.2'] } },
    0x8180,
    'Answer RRs validation failed',
  ],
  [
    'none that is so',
    { validate_answer_rrs: { fail_if_none_matches_regexp: ['127\\.0\\.0\\.3'] } },
    0x8180,
    'Answer RRs validation failed',
  ],
  ['one that is so', { validate_answer_rrs: { fail_if_none_matches_regexp: ['127\\.0\\.0\\.2'] } }, 0x8180, ''],
  [
    'not all, as upstream takes it',
    { validate_answer_rrs: { fail_if_all_match_regexp: ['127\\.0\\.0\\.2'] } },
    0x8180,
    'Answer RRs validation failed',
  ],
  [
    'the authority',
    { validate_authority_rrs: { fail_if_matches_regexp: ['NS'] } },
    0x8180,
    'Authority RRs validation failed',
  ],
  [
    'what is additional',
    { validate_additional_rrs: { fail_if_matches_regexp: ['10\\.'] } },
    0x8180,
    'Additional RRs validation failed',
  ],
]
for (const transport of ['udp', 'tcp'] as const)
  for (const [what, options, flags, reason] of checks)
    test(`dns over ${transport} takes ${what}${reason === '' ? '' : `: ${reason}`}`, { timeout: 300_000 }, async () => {
      const server = await (transport === 'udp' ? udpServer : tcpServer)((id) => message(id, two, flags))
      const result = await probe(module({ transport_protocol: transport, ...options }), server)
      assert.equal(result.reason, reason, result.text)
      const counts = ['answer', 'authority', 'additional'].map((section) =>
        result.metrics.get(`probe_dns_${section}_rrs`),
      )
      assert.deepEqual([...counts, result.metrics.get('probe_dns_query_succeeded')], [2, 1, 1, 1])
    })

test('questions carry what the module asks; a SOA gives its serial', { timeout: 300_000 }, async () => {
  const asked: string[] = []
  const server = await udpServer((id, question) => {
    asked.push(question.subarray(2).toString('hex'))
    return message(id, { answer: [soa] })
  })
  const result = await probe(
    module({ query_type: 'SOA', query_class: 'CH', recursion_desired: false, query_name: 'bücher.example' }),
    server,
  )
  assert.equal(result.metrics.get('probe_dns_serial'), 7)
  const tail = Buffer.from([...name('xn--bcher-kva.example'), ...u16(6), ...u16(3)]).toString('hex')
  assert.deepEqual(asked, [`0000000100000000${'0000'}${tail}`])
})

test('a port that is none fails the probe; it once ended the agent', { timeout: 300_000 }, async () => {
  for (const address of ['127.0.0.1:99999', '127.0.0.1:0', '[::1]:65536'])
    for (const transport of ['udp', 'tcp']) {
      const module = { prober: 'dns', dns: { query_name: 'a.example', transport_protocol: transport } }
      const { reason, metrics } = await probe(module, address)
      assert.equal(reason, 'Error while sending a DNS query', `${transport} ${address}`)
      assert.ok(metrics.get('probe_duration_seconds')! < 2)
    }
  const module = { prober: 'dns', dns: { query_name: 'a.example', source_ip_address: '192.0.2.1' } }
  assert.equal((await probe(module, '127.0.0.1:53')).reason, 'Error while sending a DNS query')
})

test('dns over TLS, no answer, another id, and garbage', { timeout: 300_000 }, async () => {
  const { cert, key, caFile } = makeCertificates()
  const secure = await tcpServer((id) => message(id, two), { cert, key })
  const tls = module({ dns_over_tls: true, transport_protocol: 'tcp', tls_config: { ca_file: caFile } })
  assert.equal((await probe(tls, secure)).reason, '')
  assert.equal((await probe(module({ dns_over_tls: true }), secure)).reason, 'Expected transport protocol tcp for DoT')
  const cases = [null, (id: number) => message(id + 1, two), () => [1, 2, 3]] as const
  for (const answer of cases) {
    const server = await udpServer((id) => answer?.(id) ?? null)
    const result = await probe({ ...module(), timeout: '200ms' }, server)
    assert.equal(result.reason, 'Error while sending a DNS query')
    assert.equal(result.metrics.get('probe_dns_query_succeeded'), 0)
  }
})
