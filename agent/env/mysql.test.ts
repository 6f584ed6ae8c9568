/** The driver before a server that asks for the password as it is; everything else stands in bench/e2e, beside MariaDB. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import type { MysqlTarget } from '../../exporters/mysql/mod.ts'
import { connectMysql } from './mysql.ts'

/** Protocol 4.1 with plugins for passwords. */
const CAPABILITIES = 0x8_0000 | 0x8000 | 0x200
const OK = Buffer.from([0, 0, 0, 2, 0, 0, 0])

function packet(sequence: number, body: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeUIntLE(body.length, 0, 3)
  head[3] = sequence
  return Buffer.concat([head, body])
}

function greeting(): Buffer {
  const caps = Buffer.alloc(4)
  caps.writeUInt32LE(CAPABILITIES)
  return Buffer.concat([
    Buffer.from('\x0a8.4.0\0', 'latin1'),
    Buffer.from([1, 0, 0, 0]),
    Buffer.from('saltsalt\0'),
    caps.subarray(0, 2),
    Buffer.from([45, 2, 0]),
    caps.subarray(2),
    Buffer.from([21, ...Array(10).fill(0)]),
    Buffer.from('saltsaltsalt\0mysql_native_password\0'),
  ])
}

/** @returns its port, and what clients sent when they were asked for the password */
async function clearPasswordServer() {
  const passwords: string[] = []
  const server = createServer((socket) => {
    let answers = 0
    socket.on('error', () => {})
    socket.on('data', (bytes: Buffer) => {
      answers++
      if (answers === 1) socket.write(packet(2, Buffer.from('\xfemysql_clear_password\0', 'latin1')))
      else if (answers === 2) {
        passwords.push(bytes.subarray(4).toString('latin1'))
        socket.write(packet(4, OK))
      }
    })
    socket.write(packet(0, greeting()))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, passwords, close: () => server.close() }
}

const TARGET = {
  host: '127.0.0.1',
  socket: '',
  user: 'monitor',
  password: 'token of a cloud',
  tls: null,
  isTlsOptional: false,
  sessionVariables: {},
  timeoutMs: 10_000,
}

test('a password goes out as it is where enable-cleartext-plugin allows it, and only there', async () => {
  const server = await clearPasswordServer()
  const target = (allowCleartext: boolean): MysqlTarget => ({ ...TARGET, port: server.port, allowCleartext })
  try {
    await assert.rejects(
      connectMysql(target(false)),
      /asks for the password as it is; enable-cleartext-plugin = true in the option file allows that/,
    )
    assert.deepEqual(server.passwords, [])
    const connection = await connectMysql(target(true))
    await connection.close()
    assert.deepEqual(server.passwords, ['token of a cloud\0'])
  } finally {
    server.close()
  }
})
