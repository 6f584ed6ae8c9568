import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { KernelError } from '../../protocol/env/mod.ts'
import { bindLibc } from './libc.ts'
import { mapSinglePages, openUserfault } from './single-pages.ts'

const PAGES = 64
const PROT_READ = 1
const MAP_PRIVATE = 2

const isLinux = process.platform === 'linux'
test('of a file that is mapped by single pages, touching one brings one', { skip: !isLinux }, (t) => {
  const calls = libc()
  const pageBytes = calls.getpagesize()
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'helio-pages-')), 'file')
  // Written just now, it is in the kernel's cache, from which it would map what lies around.
  fs.writeFileSync(file, Buffer.alloc(PAGES * pageBytes, 'x'))
  const fd = fs.openSync(file, 'r')
  try {
    const from = BigInt(calls.mmap(0n, PAGES * pageBytes, PROT_READ, MAP_PRIVATE, fd, 0))
    if (!registered(t, from, from + BigInt(PAGES * pageBytes))) return
    assert.equal(residentKb(file), 0)
    for (const page of [20, 40]) assert.equal(Number(calls.strnlen(from + BigInt(page * pageBytes), 1)), 1)
    assert.equal(residentKb(file), (2 * pageBytes) / 1024)
    calls.munmap(from, PAGES * pageBytes)
  } finally {
    fs.closeSync(fd)
    fs.rmSync(path.dirname(file), { recursive: true })
  }
})

test('a kernel that does not know the feature is left with nothing open', { skip: !isLinux }, () => {
  const unknown = 1n << 63n
  const isRefused = (): void => assert.throws(() => openUserfault(unknown), KernelError)
  // A test before may have kept one.
  const before = userfaultsOpen()
  isRefused()
  assert.equal(userfaultsOpen(), before)
})

function userfaultsOpen(): number {
  return fs.readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`).includes('userfaultfd')
    } catch {
      return false
    }
  }).length
}

function registered(t: TestContext, from: bigint, to: bigint): boolean {
  try {
    mapSinglePages({ from, to })
    return true
  } catch (error) {
    if (!(error instanceof KernelError)) throw error
    t.skip(error.message)
    return false
  }
}

const libc = () =>
  bindLibc((fn) => ({
    getpagesize: fn('int getpagesize()') as () => number,
    mmap: fn('uintptr_t mmap(uintptr_t at, size_t length, int prot, int flags, int fd, long offset)') as (
      ...args: readonly (number | bigint)[]
    ) => number | bigint,
    munmap: fn('int munmap(uintptr_t at, size_t length)') as (at: bigint, length: number) => number,
    strnlen: fn('size_t strnlen(uintptr_t at, size_t length)') as (at: bigint, length: number) => number | bigint,
  }))

function residentKb(file: string): number {
  const smaps = fs.readFileSync('/proc/self/smaps', 'latin1')
  const [, block] = smaps.split(`${file}\n`)
  return Number(/^Rss: +(\d+) kB$/m.exec(block!)![1])
}
