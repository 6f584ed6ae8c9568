/** The graphite exporter over real sockets. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { after, test } from 'node:test'
import { createNet } from '../../../agent/env/mod.ts'
import { createGraphiteExporter } from '../../../exporters/graphite/mod.ts'
import { testEnv } from '../../../exporters/testing/env.ts'
import { formatExposition } from '../../../protocol/exposition/mod.ts'

const net = createNet()
after(() => net.close())

test('lines arrive over TCP and UDP; a taken port leaves nothing open', { timeout: 300_000 }, async () => {
  const flags = { 'graphite.listen-address': '127.0.0.1:0' }
  const options = { ...testEnv, net }
  const exporter = createGraphiteExporter({ ...options, flags })
  await exporter.start()
  const { tcp, udp } = exporter.addresses()
  const portOf = (address: string): number => Number(address.split(':').at(-1))
  const seconds = testEnv.clock.now() / 1000
  const stream = connect(portOf(tcp), '127.0.0.1')
  stream.write(`by.tcp 1 ${seconds}\nby.t`)
  stream.end(`cp.end 2 ${seconds}`)
  const socket = createSocket('udp4')
  socket.send(`by.udp 3 ${seconds}\nby.udp.too 4 ${seconds}\n`, portOf(udp), '127.0.0.1')
  for (const line of ['by_tcp 1', 'by_tcp_end 2', 'by_udp 3', 'by_udp_too 4'])
    while (!formatExposition(await exporter.collect()).includes(`\n${line}\n`)) await testEnv.clock.sleep(10)
  socket.close()
  const second = createGraphiteExporter({
    ...options,
    flags: { 'graphite.listen-address': `127.0.0.1:${portOf(tcp)}` },
  })
  await assert.rejects(second.start(), { code: 'EADDRINUSE' })
  await exporter.close()
})
