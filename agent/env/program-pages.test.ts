import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import type { Clock, Logger } from '../../protocol/env/mod.ts'
import { bindLibc } from './libc.ts'
import { programMappings, unmapNowAndThen } from './program-pages.ts'

const mapping = (head: string, anonymousKb: number): string =>
  `${head}\nSize:                 80 kB\nAnonymous:    ${String(anonymousKb).padStart(8)} kB\nVmFlags: rd ex mr\n`

test('only what is still the file’s own of what is executed is given back', () => {
  const smaps = [
    mapping('00400000-00500000 r--p 00000000 fe:00 12                                 /usr/bin/the agent', 0),
    mapping('00500000-05200000 r-xp 00100000 fe:00 12                                 /usr/bin/the agent', 0),
    // Written by the linker before it was protected.
    mapping('05200000-05210000 r--p 05000000 fe:00 12                                 /usr/bin/the agent', 8),
    mapping('05210000-05220000 rw-p 05010000 fe:00 12                                 /usr/bin/the agent', 0),
    mapping('7f0000000000-7f0000010000 r-xp 00000000 fe:00 13                         /usr/lib/libc.so.6', 0),
    mapping('7f0000010000-7f0000018000 r--p 00010000 fe:00 13                         /usr/lib/libc.so.6', 0),
    // Read only: whoever mapped it may unmap it, and another may get its place.
    mapping(
      '7f0000018000-7f0000020000 r--p 00000000 fe:00 14                         /usr/lib/locale/C.utf8/LC_CTYPE',
      0,
    ),
    mapping('7f0000020000-7f0000030000 r-xp 00000000 00:00 0 ', 0),
    mapping('7f0000030000-7f0000032000 r-xp 00000000 00:00 0                          [vdso]', 0),
  ].join('')
  assert.deepEqual(programMappings(smaps), [
    { from: 0x400000n, to: 0x500000n },
    { from: 0x500000n, to: 0x5200000n },
    { from: 0x7f0000000000n, to: 0x7f0000010000n },
    { from: 0x7f0000010000n, to: 0x7f0000018000n },
  ])
})

const isLinux = process.platform === 'linux'

type Run = { readonly due: (() => void)[]; readonly failures: unknown[] }

function start(): Run {
  const due: (() => void)[] = []
  const clock = { monotonic: () => 0, setTimer: (_: number, fn: () => void) => due.push(fn) } as unknown as Clock
  const failures: unknown[] = []
  const log = { debug: (_: string, fields: unknown) => failures.push(fields) } as unknown as Logger
  // What it calls by is loaded before.
  bindLibc((fn) => fn('int getpid()'))
  unmapNowAndThen(clock, log)
  return { due, failures }
}

const mappedKb = (): number =>
  Number(/^RssFile:\s+(\d+) kB/m.exec(fs.readFileSync('/proc/self/status', 'latin1'))?.[1] ?? 0)

test('a process that has given back its program goes on, with less of it', { skip: !isLinux }, () => {
  const before = mappedKb()
  const { due } = start()
  due.shift()!()
  assert.equal(due.length, 1)
  assert.ok(mappedKb() < before - 1000, `${before} kB before, ${mappedKb()} kB after`)
  assert.equal(JSON.parse(JSON.stringify({ a: [1, 2] })).a[1], 2)
})

test('it gives back again once some megabytes of files have been mapped', { skip: !isLinux }, (t) => {
  const { due, failures } = start()
  due.shift()!()
  if (failures.length > 0) return t.skip(String((failures[0] as { err: unknown }).err))
  const quiet = mappedKb()
  due.shift()!()
  assert.ok(mappedKb() >= quiet, `${quiet} kB before a look that found nothing new, ${mappedKb()} kB after`)
  const unmap = mapNewFile(8 * 2 ** 20)
  const grown = mappedKb()
  assert.ok(grown >= quiet + 8000)
  due.shift()!()
  assert.ok(mappedKb() < grown - 300, `${grown} kB before, ${mappedKb()} kB after`)
  unmap()
})

const DENO_FLAGS = ['run', '--no-check', '--allow-all', '--no-lock', '--node-modules-dir=manual']

test('a program whose file has been replaced looks into its own', { skip: !isLinux }, () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-pages-'))
  const program = path.join(folder, 'program')
  try {
    fs.copyFileSync(process.execPath, program)
    const flags = 'Deno' in globalThis ? DENO_FLAGS : []
    const script = path.join(import.meta.dirname, 'testing/replaced-program.ts')
    const out = execFileSync(program, [...flags, script], { encoding: 'utf8' })
    assert.equal(out, 'goes on\n')
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
})

/** Every page of it is touched. */
function mapNewFile(bytes: number): () => void {
  const [PROT_READ, MAP_PRIVATE, MAP_POPULATE] = [1, 2, 0x8000]
  const { mmap, munmap } = bindLibc((fn) => ({
    mmap: fn('uintptr_t mmap(uintptr_t at, size_t length, int prot, int flags, int fd, long offset)') as (
      ...args: readonly number[]
    ) => number | bigint,
    munmap: fn('int munmap(uintptr_t at, size_t length)') as (at: number | bigint, length: number) => number,
  }))
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'helio-pages-')), 'file')
  fs.writeFileSync(file, Buffer.alloc(bytes, 'x'))
  const fd = fs.openSync(file, 'r')
  const at = mmap(0, bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0)
  fs.closeSync(fd)
  fs.rmSync(path.dirname(file), { recursive: true })
  return () => void munmap(at, bytes)
}
