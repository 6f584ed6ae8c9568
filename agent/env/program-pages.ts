/**
 * Gives back the pages of the program itself and of its libraries that only the start needed; what is needed again is
 * mapped again, from the page cache, a page at a time where the kernel can be asked for that (single-pages.ts), sixteen
 * elsewhere. Of Bun's 100 MB some 63 are mapped after the start, and all that follows touches 9, or lies among 37.
 *
 * Where pages come alone it is done again whenever some megabytes have come, which is after each round of scrapes: what
 * scrapes, collections of garbage and compilers touch now and then would otherwise pile up, by 5 MB in six minutes.
 * bench/agent/main.ts has what both bring and cost.
 * Semantics: madvise(2), proc_pid_smaps(5), proc_pid_pagemap(5).
 *
 * In the single file there is more than the runtime: sources and bytecode are a section of their own, of which 8 MB are
 * read at the start and 2 MB later. The linker lays it out beside variables, in a mapping that may be written; it is
 * given back only as long as nobody has.
 */
import fs from 'node:fs'
import { type Clock, KernelError, type Logger } from '../../protocol/env/mod.ts'
import { type Mapping, sectionAddress } from './elf-section.ts'
import { bindLibc } from './libc.ts'
import { sharedDelayMs } from './shared-delay.ts'
import { mapSinglePages } from './single-pages.ts'

const MADV_DONTNEED = 4
/** The file that runs, also when an upgrade has put another one in its place. */
const PROGRAM = '/proc/self/exe'
/** Where `bun build --compile` keeps what it has bundled. */
const BUNDLE_SECTION = '.bun'
/** An entry of pagemap, and bits of its upper half. */
const WORDS_OF_ENTRY = 2
const PRESENT = 1 << 31
const SWAPPED = 1 << 30
const OF_FILE = 1 << 29
/** After the start, when every exporter has answered once or twice. */
const FIRST_MS = 35_000
const LOOK_EVERY_MS = 5_000
/** A scrape of all exporters touches 8 MB, the time between two scrapes less than 4. */
const GROWTH_BYTES = 6e6
/** Libraries come, and what has been given back by sixteens lies there again within a scrape. */
const FIND_EVERY_MS = 600_000

/**
 * Only what is a program file's to this day: mapped for reading from a file that this process executes parts of, which
 * nobody unmaps, without a page of its own (the linker writes to some before it protects them).
 * @param smaps of /proc/self/smaps
 */
export function programMappings(smaps: string): Mapping[] {
  const blocks = smaps.split(/^(?=[\da-f]+-[\da-f]+ )/m)
  const heads = blocks.map((block) => /^([\da-f]+)-([\da-f]+) (r-[x-]p) [\da-f]+ \S+ \d+ +(\/.*)$/m.exec(block))
  const programs = new Set(heads.filter((head) => head?.[3] === 'r-xp').map((head) => head![4]))
  const out: Mapping[] = []
  for (const [i, head] of heads.entries()) {
    if (head === null || !programs.has(head[4]) || !/^Anonymous: +0 kB$/m.test(blocks[i]!)) continue
    out.push({ from: BigInt(`0x${head[1]!}`), to: BigInt(`0x${head[2]!}`) })
  }
  return out
}

/** Now and then, for as long as the process lives; what stands in the way ends it. */
export function unmapNowAndThen(clock: Clock, log: Logger, delayMs = FIRST_MS): void {
  let pages: ProgramPages | null = null
  const look = (): void => {
    try {
      pages ??= new ProgramPages(log)
      pages.look(clock.monotonic())
      clock.setTimer(sharedDelayMs(LOOK_EVERY_MS, clock.monotonic()), look, { unref: true })
    } catch (err) {
      log.debug('The pages of the program stay mapped', { err })
    }
  }
  clock.setTimer(delayMs, look, { unref: true })
}

type Advise = (address: bigint, length: bigint, advice: number) => number

class ProgramPages {
  readonly #log: Logger
  readonly #advise: Advise
  #pageBytes = 0
  #mappings: readonly Mapping[] = []
  #bundle: Mapping | null = null
  #comeAlone = false
  #findAtMs = Number.NEGATIVE_INFINITY
  /** Of files, mapped after pages were given back last. */
  #leftBytes = 0

  /** Throws what stands in the way: no Linux, no libc to call. */
  constructor(log: Logger) {
    this.#log = log
    this.#advise = bindLibc((fn): Advise => fn('int madvise(uintptr_t address, size_t length, int advice)'))
  }

  look(nowMs: number): void {
    if (nowMs >= this.#findAtMs) {
      this.#find()
      this.#findAtMs = nowMs + FIND_EVERY_MS
    } else if (!this.#comeAlone || this.#mappedBytes() < this.#leftBytes + GROWTH_BYTES) return
    for (const { from, to } of this.#mappings) this.#advise(from, to - from, MADV_DONTNEED)
    if (this.#bundle !== null && areOfFile(this.#bundle, BigInt(this.#pageBytes)))
      this.#advise(this.#bundle.from, this.#bundle.to - this.#bundle.from, MADV_DONTNEED)
    this.#leftBytes = this.#mappedBytes()
  }

  #find(): void {
    const smaps = fs.readFileSync('/proc/self/smaps', 'utf8')
    this.#pageBytes = Number(/^KernelPageSize: +(\d+) kB$/m.exec(smaps)![1]!) * 1024
    this.#mappings = programMappings(smaps)
    this.#bundle = bundleMapping(PROGRAM, BigInt(this.#pageBytes))
    try {
      for (const mapping of this.#mappings) mapSinglePages(mapping)
      if (this.#bundle !== null) mapSinglePages(this.#bundle)
      this.#comeAlone = true
    } catch (err) {
      if (!(err instanceof KernelError)) throw err
      this.#log.debug('Pages of the program come sixteen at a time', { err })
    }
  }

  /** Of files, in this process. */
  #mappedBytes(): number {
    return Number(fs.readFileSync('/proc/self/statm', 'latin1').split(' ')[2]) * this.#pageBytes
  }
}

/** The pages that hold nothing but the bundle; null outside of the single file. */
function bundleMapping(program: string, pageBytes: bigint): Mapping | null {
  const section = sectionAddress(program, BUNDLE_SECTION)
  if (section === null) return null
  const from = ((section.from + pageBytes - 1n) / pageBytes) * pageBytes
  const to = (section.to / pageBytes) * pageBytes
  return from < to ? { from, to } : null
}

/** Whether none of these pages is the process's own. */
function areOfFile({ from, to }: Mapping, pageBytes: bigint): boolean {
  const count = Number((to - from) / pageBytes)
  const words = new Uint32Array(count * WORDS_OF_ENTRY)
  const fd = fs.openSync('/proc/self/pagemap', 'r')
  try {
    fs.readSync(fd, words, { position: (from / pageBytes) * BigInt(WORDS_OF_ENTRY * words.BYTES_PER_ELEMENT) })
  } finally {
    fs.closeSync(fd)
  }
  for (let i = 1; i < words.length; i += WORDS_OF_ENTRY)
    if ((words[i]! & (PRESENT | SWAPPED)) !== 0 && (words[i]! & OF_FILE) === 0) return false
  return true
}
