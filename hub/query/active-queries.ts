/**
 * Which queries are running, in a file that outlives a crash of the whole process: the next start names them in its log.
 * Semantics: Prometheus promql/query_logger.go; the file is ours, a row of slots of text:
 *
 *     slot i at i * SLOT_BYTES: the query in UTF-8, cut, then zeros; all zeros when it is free
 *
 * Nothing is synced: what the kernel has survives the process, and a crash of the machine is no query's doing.
 */
import type { Disk, DiskFile, Logger } from '../../protocol/env/mod.ts'

const SLOT_BYTES = 1024

export class ActiveQueries {
  readonly #file: DiskFile
  readonly #free: number[]
  readonly #slot = new Uint8Array(SLOT_BYTES)
  #isClosed = false
  readonly #encoder = new TextEncoder()

  /** Logs what an earlier process left, and starts afresh. @throws DiskError */
  constructor(
    path: string,
    { disk, log, slots }: { readonly disk: Disk; readonly log: Logger; readonly slots: number },
  ) {
    const left = disk.stat(path) === null ? [] : unfinished(disk.readFile(path))
    if (left.length > 0) log.warn('These queries were running when the hub last ended', { queries: left })
    this.#file = disk.open(path, 'w')
    this.#free = Array.from({ length: slots }, (_, i) => slots - 1 - i)
  }

  /** The slot to give back to `end`; -1 when the query is not tracked. */
  begin(query: string): number {
    const slot = this.#free.pop() ?? -1
    if (slot < 0) return slot
    this.#slot.fill(0)
    this.#encoder.encodeInto(query, this.#slot)
    if (this.#write(slot)) return slot
    this.#free.push(slot)
    return -1
  }

  end(slot: number): void {
    if (slot < 0) return
    this.#slot.fill(0)
    this.#write(slot)
    this.#free.push(slot)
  }

  close(): void {
    this.#isClosed = true
    this.#file.close()
  }

  /** A full disk stops no query. */
  #write(slot: number): boolean {
    if (this.#isClosed) return false
    try {
      this.#file.write(this.#slot, slot * SLOT_BYTES)
      return true
    } catch {
      return false
    }
  }
}

function unfinished(bytes: Uint8Array): string[] {
  const out: string[] = []
  for (let at = 0; at < bytes.length; at += SLOT_BYTES) {
    const slot = bytes.subarray(at, at + SLOT_BYTES)
    const end = slot.indexOf(0)
    const text = new TextDecoder().decode(end < 0 ? slot : slot.subarray(0, end))
    if (text !== '') out.push(text)
  }
  return out
}
