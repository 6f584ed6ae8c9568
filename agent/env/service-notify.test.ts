import assert from 'node:assert/strict'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { createNoticeSender } from './service-notify.ts'

const skip = process.platform === 'linux' ? false : 'sockets of Linux'

/** What the service manager holds: a bound datagram socket. */
function bindDatagrams(name: string): { receive(): string; close(): void } {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
  const lib = koffi.load('libc.so.6')
  const bind = lib.func('int bind(int fd, const uint8_t *address, uint32_t length)')
  const recv = lib.func('long recv(int fd, _Out_ uint8_t *bytes, size_t length, int flags)')
  const close = lib.func('int close(int fd)')
  const fd = Number(lib.func('int socket(int domain, int type, int protocol)')(1, 2, 0))
  const bytes = Buffer.concat([Buffer.from([1, 0]), Buffer.from(name)])
  assert.equal(bind(fd, bytes, bytes.length), 0, `bind: errno ${koffi.errno()}`)
  return {
    receive() {
      const buffer = new Uint8Array(4096)
      const withoutWaiting = 0x40
      const count = Number(recv(fd, buffer, buffer.length, withoutWaiting))
      return count < 0 ? '' : Buffer.from(buffer.subarray(0, count)).toString()
    },
    close: () => void close(fd),
  }
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-notify-'))
const rows: readonly (readonly [kind: string, notifySocket: string, bound: string])[] = [
  ['of the file system', `${folder}/notify`, `${folder}/notify\0`],
  ['of the abstract namespace', `@helio-notify-${process.pid}`, `\0helio-notify-${process.pid}`],
]
for (const [kind, notifySocket, bound] of rows)
  test(`a notice arrives at a socket ${kind} as it is`, { skip }, () => {
    const manager = bindDatagrams(bound)
    const problems: string[] = []
    try {
      const send = createNoticeSender(notifySocket, (problem) => problems.push(problem))
      send('READY=1\nSTATUS=Collecting')
      assert.equal(manager.receive(), 'READY=1\nSTATUS=Collecting')
      send('WATCHDOG=1')
      assert.equal(manager.receive(), 'WATCHDOG=1')
      assert.deepEqual(problems, [])
    } finally {
      manager.close()
    }
  })

test('a manager that is gone is told once and ends nothing', { skip }, () => {
  const problems: string[] = []
  const send = createNoticeSender(`${folder}/nobody`, (problem) => problems.push(problem))
  send('READY=1')
  send('WATCHDOG=1')
  assert.deepEqual(problems, [`Cannot send to NOTIFY_SOCKET ${folder}/nobody: errno 2`])
})

test('an address that is none is a problem, and no exception', () => {
  const problems: string[] = []
  createNoticeSender('vsock:2:1234', (problem) => problems.push(problem))
  assert.equal(problems.length, 1)
  assert.match(problems[0]!, /must be an absolute path or @name, got "vsock:2:1234"/)
})

after(() => fs.rmSync(folder, { recursive: true, force: true }))
