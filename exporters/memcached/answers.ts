/** Memcached's text protocol, as far as `stats` goes: `STAT name value\r\n`… `END\r\n`. */

export type Stats = ReadonlyMap<string, string>
/** By slab class, as memcached numbers them. */
export type SlabStats = ReadonlyMap<string, Stats>

/** What a server says instead of statistics: `ERROR`, `SERVER_ERROR out of memory`… */
export class MemcachedAnswerError extends Error {
  readonly line: string
  constructor(command: string, line: string) {
    super(`Unexpected line in the answer to "${command}": "${line.slice(0, 200)}"; is this a memcached server?`)
    this.name = 'MemcachedAnswerError'
    this.line = line
  }
}

/** Whether all of an answer has arrived: its last line is `END`, or it is an error. */
export function isCompleteAnswer(text: string): boolean {
  return text.endsWith('END\r\n') || /^(?:ERROR|CLIENT_ERROR[^\n]*|SERVER_ERROR[^\n]*)\r\n$/.test(text)
}

/** @throws MemcachedAnswerError at the first line that is neither `STAT name value` nor the final `END` */
export function parseStats(command: string, text: string): Stats {
  const out = new Map<string, string>()
  for (const line of text.split(/\r?\n/)) {
    if (line === 'END') return out
    const match = /^STAT (\S+) ?(.*)$/.exec(line)
    if (!match) throw new MemcachedAnswerError(command, line)
    out.set(match[1]!, match[2]!)
  }
  throw new MemcachedAnswerError(command, 'no END')
}

/** `items:5:number 1` of `stats items` and `5:chunk_size 96` of `stats slabs`; names without a class are left out. */
export function bySlab(stats: Stats): SlabStats {
  const out = new Map<string, Map<string, string>>()
  for (const [key, value] of stats) {
    const match = /^(?:items:)?(\d+):(.+)$/.exec(key)
    if (!match) continue
    const slab = match[1]!
    let entry = out.get(slab)
    if (!entry) out.set(slab, (entry = new Map()))
    entry.set(match[2]!, value)
  }
  return out
}
