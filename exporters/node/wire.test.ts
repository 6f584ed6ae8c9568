/** What comes over netlink, D-Bus, NTP and XML-RPC: known bytes, and bytes that are anything. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Kernel, KernelError } from '../../protocol/env/mod.ts'
import { socketOfAddress } from './dbus.ts'
import { DBusFormatError, DBusReader, decodeMessage, encodeCall, messageLength } from './dbus-codec.ts'
import { describePort } from './ethtool-modes.ts'
import { listAddresses, listLinks } from './links.ts'
import { scopeOf } from './net-address.ts'
import { attribute, ipAddress, macAddress, parseAttributes, splitMessages } from './netlink.ts'
import { listWirelessInterfaces } from './nl80211.ts'
import { decodeAnswer } from './ntp.ts'
import { parseStructs } from './supervisord.ts'

const bytes = (...parts: (number | Uint8Array | readonly number[])[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === 'number' ? [part] : [...part])))
const u16 = (value: number): number[] => [value & 255, value >>> 8]
const u32 = (value: number): number[] => [...u16(value & 0xffff), ...u16(value >>> 16)]
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** One netlink message. */
const message = (type: number, payload: Uint8Array): Uint8Array =>
  bytes(u32(16 + payload.length), u16(type), u16(2), u32(1), u32(0), payload)
const DONE = message(3, bytes(u32(0)))

/** Answers by what was asked: generic netlink's command, else the message's type. */
function fakeKernel(answer: (request: Uint8Array) => Uint8Array): Kernel {
  const none = (): never => {
    throw new KernelError('ENOSYS', 'not asked for here')
  }
  return { adjtimex: none, ethtool: none, openPerfEvent: none, netlink: (_, request) => answer(request) }
}

test('nl80211: an interface with its access point and station', () => {
  const genl = (...attributes: Uint8Array[]): Uint8Array => message(30, bytes([0, 1, 0, 0], ...attributes))
  const bssid = [2, 0, 0, 0, 0, 1]
  const elements = bytes([1, 2, 0x82, 0x84], [0, 4], text('home'))
  const answers: Readonly<Record<number, Uint8Array>> = {
    3: message(16, bytes([1, 2, 0, 0], attribute(1, bytes(u16(30))), attribute(2, text('nl80211\0')))),
    5: bytes(genl(attribute(3, bytes(u32(7))), attribute(4, text('wlan0\0')), attribute(38, bytes(u32(2412)))), DONE),
    32: bytes(
      genl(attribute(47, bytes(attribute(1, bytes([9, 9, 9, 9, 9, 9]))))),
      genl(attribute(47, bytes(attribute(1, bytes(bssid)), attribute(6, elements), attribute(9, bytes(u32(1)))))),
      DONE,
    ),
    17: bytes(
      genl(
        attribute(6, bytes(bssid)),
        attribute(
          21,
          bytes(
            attribute(1, bytes(u32(400))),
            attribute(7, bytes([0xcc, 0, 0, 0])),
            attribute(8, bytes(attribute(5, bytes(u32(1300))))),
            attribute(14, bytes(attribute(1, bytes(u16(260), [0, 0])))),
            attribute(16, bytes(u32(30))),
            attribute(23, bytes(u32(5), u32(1))),
          ),
        ),
      ),
      DONE,
    ),
  }
  const found = listWirelessInterfaces(fakeKernel((request) => answers[request[16]!]!))
  assert.equal(found?.length, 1)
  assert.equal(found[0]!.name, 'wlan0')
  assert.equal(found[0]!.frequency, 2412)
  assert.deepEqual(found[0]!.bss, { bssid: '02:00:00:00:00:01', ssid: 'home', status: 1 })
  const { mac, values } = found[0]!.stations[0]!
  assert.equal(mac, '02:00:00:00:00:01')
  assert.equal(values.signal, -52)
  assert.equal(values.connected, 30e9)
  assert.equal(values.inactive, 4e8)
  assert.equal(values.transmitbitrate, 130e6)
  assert.equal(values.receivebitrate, 26e6)
  assert.equal(values.receivedbytes, 2 ** 32 + 5)
})

test('nl80211: a kernel without wireless answers ENOENT to the question for the family', () => {
  const enoent = message(2, bytes(u32(-2 >>> 0)))
  assert.equal(listWirelessInterfaces(fakeKernel(() => enoent)), null)
})

const errors: readonly [name: string, answer: Uint8Array, code: string][] = [
  ['an error', message(2, bytes(u32(-1 >>> 0))), 'EPERM'],
  ['a length beyond the bytes', bytes(u32(400), u16(16), u16(0), u32(0), u32(0)), 'EBADMSG'],
  ['a length below the header', bytes(u32(3), u16(16), u16(0), u32(0), u32(0)), 'EBADMSG'],
]
for (const [name, answer, code] of errors) {
  test(`netlink: ${name} is ${code}`, () => {
    assert.throws(() => splitMessages(answer), { name: 'KernelError', code })
  })
}

test('netlink: whatever the kernel answers, there is a list or a KernelError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (payload, framed) => {
      const kernel = fakeKernel(() => (framed ? bytes(message(16, payload), DONE) : payload))
      for (const list of [listLinks, listAddresses, listWirelessInterfaces])
        try {
          list(kernel)
        } catch (error) {
          assert.ok(error instanceof KernelError, String(error))
        }
      parseAttributes(payload)
    }),
  )
})

const addresses: readonly [octets: readonly number[], shown: string][] = [
  [[192, 0, 2, 1], '192.0.2.1'],
  [[...Array(15).fill(0), 1], '::1'],
  [[0xfd, 0, ...Array(13).fill(0), 2], 'fd00::2'],
  [[0x20, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1], '2001:0:1::1:0:1'],
  [[0x20, 1, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 0, 0, 7], '2001:1:2:3:4:5:0:7'],
  [Array(16).fill(0), '::'],
  [[1, 2, 3], ''],
]
for (const [octets, shown] of addresses)
  test(`the address ${octets.join('.')} is "${shown}"`, () => assert.equal(ipAddress(bytes(octets)), shown))

test('a hardware address is shown in pairs', () => assert.equal(macAddress(bytes([2, 0xfc, 0])), '02:fc:00'))

for (const [address, scope] of [
  ['127.0.0.1', 'link-local'],
  ['169.254.3.4', 'link-local'],
  ['fe80::1', 'link-local'],
  ['10.0.0.1', 'global'],
  ['fd00::2', 'global'],
] as const)
  test(`the scope of ${address} is ${scope}`, () => assert.equal(scopeOf(address), scope))

test('a port tells its modes', () => {
  const shown = describePort(0b1110_1000, 0b10_0000, 1).map(([name, , labels, value]) =>
    [name, ...labels, value].join(' '),
  )
  for (const line of [
    'supported_speed_bytes duplex full mode 100baseT 12500000',
    'supported_speed_bytes duplex full mode 1000baseT 125000000',
    'supported_port_info type TP 1',
    'advertised_speed_bytes duplex full mode 1000baseT 125000000',
    'autonegotiate_supported 1',
    'autonegotiate_advertised 0',
    'autonegotiate 1',
  ])
    assert.ok(shown.includes(line), line)
})

test('D-Bus: a call is a message that its own reader takes', () => {
  const call = { destination: 'a.b', path: '/x/y', interface: 'a.b.C', member: 'Get', arguments: ['häh', ''] }
  const encoded = encodeCall(call, 7)
  assert.equal(messageLength(encoded, 1000), encoded.length)
  const decoded = decodeMessage(encoded)
  assert.equal(decoded.kind, 'call')
  assert.deepEqual(decoded.body, ['häh', ''])
})

test('D-Bus: values of every type', () => {
  const body = bytes(
    [1, 0, ...u16(0xfffe)],
    u32(7),
    u32(1),
    u32(3),
    text('a/b'),
    0,
    [1, 117, 0, 0],
    u32(9),
    u32(4),
    u32(5),
  )
  // byte, int16, uint32, boolean, object path, variant of uint32, array of uint32.
  assert.deepEqual(new DBusReader(body).readAll('ynubovau'), [1, -2, 7, true, 'a/b', 9, [5]])
})

for (const signature of ['a()', '(', 'a{sv', 'z', `${'a'.repeat(100)}y`])
  test(`D-Bus: the signature ${signature.slice(0, 8)} is refused`, () => {
    assert.throws(() => new DBusReader(new Uint8Array(1000)).readAll(signature), DBusFormatError)
  })

test('D-Bus: bytes that are anything end in values or a DBusFormatError', () => {
  const signatures = fc.constantFrom('a(ssssssouso)', 'a{sv}', 'v', 'aav', '(ybnqiuxtd)', 'av')
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), signatures, (raw, signature) => {
      for (const read of [
        () => new DBusReader(raw).readAll(signature),
        () => decodeMessage(bytes(text('l'), raw)),
        () => messageLength(raw, 1000),
      ])
        try {
          read()
        } catch (error) {
          assert.ok(error instanceof DBusFormatError, String(error))
        }
    }),
    { numRuns: 300 },
  )
})

for (const [address, socket] of [
  ['unix:path=/run/dbus/socket', '/run/dbus/socket'],
  ['tcp:host=1.2.3.4;unix:guid=ab,path=/run/a%20b', '/run/a b'],
  ['unix:abstract=x', null],
] as const)
  test(`the socket of ${address} is ${socket}`, () => assert.equal(socketOfAddress(address), socket))

test('NTP: an answer to another question, from no server or cut off is refused', () => {
  const nonce = bytes([1, 2, 3, 4, 5, 6, 7, 8])
  const answer = bytes(
    [0x24, 2, 6, 0xec],
    u32(0),
    u32(0),
    Array(12).fill(0),
    nonce,
    Array(8).fill(0xe0),
    Array(8).fill(0xe0),
  )
  assert.equal(decodeAnswer(answer, nonce).stratum, 2)
  assert.equal(decodeAnswer(answer, nonce).reference, 0)
  assert.throws(() => decodeAnswer(answer.subarray(0, 40), nonce), /40 bytes/)
  assert.throws(() => decodeAnswer(answer, bytes(Array(8).fill(9))), /another question/)
  assert.throws(() => decodeAnswer(bytes([0x23], answer.subarray(1)), nonce), /mode 3/)
})

test('XML-RPC: members of structs, entities, and what is none', () => {
  const xml = `<?xml version='1.0'?><methodResponse><params><param><value><array><data><value><struct>
    <member><name>name</name><value><string>a &amp; &#65;&#x42; &lt;b&gt;</string></value></member>
    <member><name>state</name><value><int>20</int></value></member></struct></value></data></array></value></param></params></methodResponse>`
  assert.deepEqual(
    [...parseStructs(xml)[0]!],
    [
      ['name', 'a & AB <b>'],
      ['state', '20'],
    ],
  )
  assert.throws(() => parseStructs('<methodResponse><fault></fault></methodResponse>'), /fault/)
  assert.throws(() => parseStructs('<html>'), /no XML-RPC/)
})
