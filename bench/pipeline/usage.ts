/** CPU time and memory of a process, all its threads together, as Linux counts them. */
import fs from 'node:fs'

/** Clock ticks a second in /proc: USER_HZ, 100 on every Linux that Node runs on. */
const TICKS = 100

/** User and system time of all threads, in seconds; 10 ms is the unit. */
export function cpuSeconds(pid: number): number {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The name may hold blanks and brackets: count from its last bracket, after which the state is field 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS
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
