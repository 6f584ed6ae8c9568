import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import fs from 'node:fs'
import { connect } from 'node:net'
import path from 'node:path'
import { after, test } from 'node:test'
import { createNet } from '../../../agent/env/mod.ts'
import type { Flags } from '../../../exporters/contract.ts'
import { createStatsdExporter, type StatsdExporter } from '../../../exporters/statsd/mod.ts'
import { temporaryFolder, testEnv } from '../../../exporters/testing/env.ts'
import { formatExposition } from '../../../protocol/exposition/mod.ts'

const net = createNet()
const folder = temporaryFolder()
after(() => net.close())
const LOOPBACK = { 'statsd.listen-udp': '127.0.0.1:0', 'statsd.listen-tcp': '127.0.0.1:0' }

async function started(flags: Flags): Promise<StatsdExporter> {
  const exporter = createStatsdExporter({ ...testEnv, flags, net })
  await exporter.start()
  return exporter
}

/** Waits for a line of the page: what was sent has arrived. */
async function shows(exporter: StatsdExporter, line: string): Promise<void> {
  for (;;) {
    const page = formatExposition(await exporter.collect())
    if (`\n${page}`.includes(`\n${line}\n`)) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const portOf = (address: string): number => Number(address.split(':').at(-1))

test('lines arrive over UDP, TCP and unixgram', { timeout: 300_000 }, async () => {
  const unixgram = path.join(folder, 'statsd.sock')
  const exporter = await started({ ...LOOPBACK, 'statsd.listen-unixgram': unixgram, 'statsd.unixsocket-mode': '766' })
  const { udp, tcp } = exporter.addresses()
  const socket = createSocket('udp4')
  socket.send('by.udp:1|c\nby.udp:2|c', portOf(udp), '127.0.0.1')
  const stream = connect(portOf(tcp), '127.0.0.1')
  stream.write('by.tcp:3|c\nby.t')
  stream.end('cp:4|c')
  const script = `import socket\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.sendto(b'by.unixgram:5|c', ${JSON.stringify(unixgram)})`
  assert.equal(spawnSync('/usr/bin/python3', ['-c', script]).status, 0)
  assert.equal(fs.statSync(unixgram).mode & 0o777, 0o766)
  for (const line of ['by_udp 3', 'by_tcp 7', 'by_unixgram 5', 'statsd_exporter_tcp_connections_total 1'])
    await shows(exporter, line)
  socket.close()
  await exporter.close()
  assert.equal(fs.existsSync(unixgram), false)
})

test('a port that is taken leaves nothing open', { timeout: 300_000 }, async () => {
  const first = await started(LOOPBACK)
  const { udp, tcp } = first.addresses()
  const flags = { 'statsd.listen-udp': '127.0.0.1:0', 'statsd.listen-tcp': tcp }
  const before = fs.readdirSync('/proc/self/fd').length
  await assert.rejects(started(flags), { code: 'EADDRINUSE', message: /Cannot listen on 127\.0\.0\.1:\d+/ })
  await assert.rejects(started({ ...flags, 'statsd.listen-udp': udp }), /address already in use/)
  assert.equal(fs.readdirSync('/proc/self/fd').length, before)
  await first.close()
})

test('a relay gets every line, packed', { timeout: 300_000 }, async () => {
  const second = await started(LOOPBACK)
  const flags = { 'statsd.relay.address': second.addresses().udp, 'statsd.relay.packet-length': '100' }
  const first = await started({ ...LOOPBACK, ...flags })
  for (let i = 0; i < 20; i++) first.handlePacket(Buffer.from(`relayed:${i}|c\n`), 'udp')
  first.handlePacket(Buffer.from(`${'x'.repeat(100)}:1|c`), 'udp')
  await shows(second, 'relayed 190')
  const target = `{target="${second.addresses().udp}"}`
  await shows(first, `statsd_exporter_relay_lines_relayed_total${target} 20`)
  await shows(first, `statsd_exporter_relay_long_lines_total${target} 1`)
  const page = formatExposition(await second.collect())
  const packets = Number(/udp_packets_total (\d+)/.exec(page)![1])
  await shows(first, `statsd_exporter_relay_packets_total${target} ${packets}`)
  assert.ok(packets >= 3 && packets <= 5, `${packets} packets`)
  await first.close()
  await second.close()
})

test('what had come when the exporter ends is relayed', { timeout: 300_000 }, async () => {
  const second = await started(LOOPBACK)
  const first = await started({ ...LOOPBACK, 'statsd.relay.address': second.addresses().udp })
  await new Promise((resolve) => setTimeout(resolve, 50))
  const socket = createSocket('udp4')
  await new Promise((resolve) => socket.send('last:7|c', portOf(first.addresses().udp), '127.0.0.1', resolve))
  await first.close()
  socket.close()
  await shows(second, 'last 7')
  await second.close()
})

for (const [flags, problem] of [
  [{ 'statsd.listen-udp': '', 'statsd.listen-tcp': '' }, /at least one of UDP, TCP and unixgram/],
  [{ 'statsd.listen-udp': 'here' }, /statsd.listen-udp: must be HOST:PORT, got "here"/],
  [{ 'statsd.relay.address': 'there' }, /statsd.relay.address: must be HOST:PORT/],
  [{ 'statsd.unixsocket-mode': '9' }, /must be octal digits/],
] as const)
  test(`flags ${JSON.stringify(flags)} are refused`, async () => {
    await assert.rejects(started(flags), { name: 'FlagError', message: problem })
  })
