/** CPU time and memory of a process, all its threads together, as Linux counts them. */
import fs from 'node:fs'

/** Clock ticks a second in /proc: USER_HZ, 100 on every Linux that Node runs on. */
const TICKS = 100

/** User and system time of all threads, in seconds; 10 ms is the unit. */
export function cpuSeconds(pid: number): number {
  return readStat(`/proc/${pid}/stat`).seconds
}

/** The same by name of the threads that live now: V8's helpers and libuv's pool beside the program's own. */
export function cpuByThread(pid: number): Record<string, number> {
  const out: Record<string, number> = {}
  for (const tid of fs.readdirSync(`/proc/${pid}/task`)) {
    const { name, seconds } = readStat(`/proc/${pid}/task/${tid}/stat`)
    const key = Number(tid) === pid ? 'main' : name
    out[key] = (out[key] ?? 0) + seconds
  }
  return out
}

function readStat(file: string): { readonly name: string; readonly seconds: number } {
  const stat = fs.readFileSync(file, 'latin1')
  // The name may hold blanks and brackets: count from its last bracket, after which the state is field 3.
  const close = stat.lastIndexOf(')')
  const fields = stat.slice(close + 2).split(' ')
  return { name: stat.slice(stat.indexOf('(') + 1, close), seconds: (Number(fields[11]) + Number(fields[12])) / TICKS }
}

export type Memory = { readonly rssBytes: number; readonly pssBytes: number; readonly anonymousBytes: number }

/** What the process has resident, what of it is its own share, and what no file backs. */
export function memory(pid: number): Memory {
  const text = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')
  const field = (name: string): number => {
    const match = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)
    if (!match) throw new Error(`/proc/${pid}/smaps_rollup has no ${name}`)
    return Number(match[1]) * 1024
  }
  return { rssBytes: field('Rss'), pssBytes: field('Pss'), anonymousBytes: field('Anonymous') }
}

export type DiskUse = { readonly bytes: number; readonly allocatedBytes: number }

/** Lengths and allocated blocks of the files below `directory`, by its first level. */
export function diskUse(directory: string): Record<string, DiskUse> {
  const out: Record<string, DiskUse> = {}
  for (const entry of fs.readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = `${entry.parentPath}/${entry.name}`
    const first = file.slice(directory.length + 1).split('/')[0]!
    const stat = fs.lstatSync(file)
    const before = out[first] ?? { bytes: 0, allocatedBytes: 0 }
    out[first] = { bytes: before.bytes + stat.size, allocatedBytes: before.allocatedBytes + stat.blocks * 512 }
  }
  return out
}
