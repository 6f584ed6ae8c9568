import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { listLinks } from '../../exporters/node/links.ts'
import { systemKernel as kernel } from './kernel.ts'

const elsewhere = process.platform === 'linux' ? false : 'system calls of Linux'

test('adjtimex() fills its structure with the time', { skip: elsewhere }, () => {
  const timex = new Uint8Array(208)
  const state = kernel.adjtimex(timex)
  assert.ok(state >= 0 && state <= 5, `state ${state}`)
  const seconds = Number(new DataView(timex.buffer).getBigInt64(72, true))
  assert.ok(Math.abs(seconds - Date.now() / 1000) < 60, `${seconds} s`)
})

test('netlink() lists the interfaces that sysfs shows', { skip: elsewhere }, () => {
  const names = listLinks(kernel).map(({ name }) => name)
  assert.deepEqual(names.sort(), fs.readdirSync('/sys/class/net').sort())
})

const openFiles = (): number => fs.readdirSync('/proc/self/fd').length
const request = (): Uint8Array => {
  const bytes = new Uint8Array(32)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, bytes.length, true)
  view.setUint16(4, 18, true)
  view.setUint16(6, 0x301, true)
  return bytes
}

/** struct perf_event_attr with its type and size. */
const perfAttr = (type: number): Uint8Array => {
  const attr = new Uint8Array(72)
  attr[0] = type
  attr[4] = attr.length
  return attr
}

const failures: readonly [name: string, call: () => unknown, code: string][] = [
  ['netlink() past its bound', () => kernel.netlink(0, request(), 10), 'EMSGSIZE'],
  ['netlink() of a family that is none', () => kernel.netlink(31, request(), 1000), 'EPROTONOSUPPORT'],
  ['ethtool() of no device', () => kernel.ethtool('none0', new Uint8Array(200)), 'ENODEV'],
  ['ethtool() of a name that cannot be', () => kernel.ethtool('a'.repeat(40), new Uint8Array(200)), 'ENODEV'],
  [
    'ethtool() with a command that lo lacks',
    () => kernel.ethtool('lo', Uint8Array.of(1, ...Array(43).fill(0))),
    'EOPNOTSUPP',
  ],
  ['openPerfEvent() of a type that is none', () => kernel.openPerfEvent(perfAttr(99), 0), 'ENOENT'],
]
for (const [name, call, code] of failures) {
  test(`${name} is ${code}, and leaves nothing open`, { skip: elsewhere }, () => {
    const before = openFiles()
    assert.throws(call, { name: 'KernelError', code })
    assert.equal(openFiles(), before)
  })
}
