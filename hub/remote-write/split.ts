/**
 * A request of 1.0 that was refused, in parts. Prometheus stores nothing of one in which a single sample is not newer than
 * what it has of its series; and such are there after a kill: what had been sent already stands before what had not.
 *
 * Samples of a series must be taken in their order, so nothing may be tried that would, if it were taken, leave older ones
 * behind: a sample is tried alone only where it is the first of its series that may not have been taken.
 */
import { ProtoReader, snappyCompress, snappyDecompress } from '../../protocol/remote-write/mod.ts'
import type { Counts } from './messages.ts'
import { addTo, newTally } from './tally.ts'

/** Fields of WriteRequest and TimeSeries. */
const SERIES = (1 << 3) | 2
const LABEL = (1 << 3) | 2
const KINDS: Readonly<Record<number, keyof Counts>> = {
  [(2 << 3) | 2]: 'samples',
  [(3 << 3) | 2]: 'exemplars',
  [(4 << 3) | 2]: 'histograms',
}
/** Samples that are tried alone. */
const MAX_PROBES = 256
/** Requests with halves of what is refused for another reason than being there already. */
const MAX_HALVES = 64

export type Part = { readonly body: Uint8Array; readonly contents: Counts }

export class SplitRequest {
  readonly #message: Uint8Array
  /** Where each series begins; the last is the end. */
  readonly #starts: number[] = []
  readonly #counts: Counts[] = []
  /** By series of the message: equal for equal labels. */
  readonly keys: string[] = []

  /** @param body as it is sent; of samples alone, a series of the message each */
  constructor(body: Uint8Array) {
    this.#message = snappyDecompress(body)
    const latin1 = new TextDecoder('latin1')
    const reader = new ProtoReader(this.#message)
    while (reader.at < this.#message.length) {
      this.#starts.push(reader.at)
      if (reader.tag() !== SERIES) throw new Error('BUG: a request of samples has something else')
      const end = reader.lengthEnd()
      const start = reader.at
      let labelsEnd = start
      const counts = newTally()
      while (reader.at < end) {
        const tag = reader.tag()
        const kind = KINDS[tag]
        if (kind) counts[kind]++
        reader.skip(tag)
        if (tag === LABEL) labelsEnd = reader.at
      }
      this.#counts.push(counts)
      this.keys.push(latin1.decode(this.#message.subarray(start, labelsEnd)))
    }
    this.#starts.push(this.#message.length)
  }

  get length(): number {
    return this.#counts.length
  }

  part(indexes: readonly number[]): Part {
    const contents = newTally()
    const pieces = indexes.map((i) => this.#message.subarray(this.#starts[i], this.#starts[i + 1]))
    const message = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
    let at = 0
    for (const [n, piece] of pieces.entries()) {
      addTo(contents, this.#counts[indexes[n]!]!)
      message.set(piece, at)
      at += piece.length
    }
    return { body: snappyCompress(message), contents }
  }
}

/** Taken, refused, or nobody's concern any more. */
export type Taken = 'taken' | 'refused' | 'over'

export interface PartsSender {
  /** Counts what is taken. */
  send(part: Part): Promise<Taken>
  /** Counts what is not sent again. */
  refuse(part: Part): void
  /** Counts what is not sent at all, after `send` has said that it is over. */
  giveUp(part: Part): void
}

/**
 * Has as much of it taken as will be.
 * @param mayBeThere else it is made sure that what is refused is not refused for a few samples' sake
 */
export async function sendInParts(whole: SplitRequest, mayBeThere: boolean, to: PartsSender): Promise<void> {
  const taken = new Set<number>()
  const left = (but = -1): Part => whole.part(range(0, whole.length).filter((i) => i !== but && !taken.has(i)))
  // All before `low` are refused, all from `high` on are not; but for those that were taken when they were tried.
  let low = 0
  let high = whole.length
  for (let requests = 0; low < high; ) {
    const firsts = firstsOf(whole.keys, low, high)
    let refused = 0
    let unknown = firsts.length
    // The last of them first: where it is refused, all before it are.
    for (let at = unknown - 1; refused < unknown; at = (refused + unknown) >> 1) {
      if (++requests > MAX_PROBES) {
        to.refuse(left())
        return
      }
      const index = firsts[at]!
      const answer = await to.send(whole.part([index]))
      if (answer === 'over') {
        to.giveUp(left(index))
        return
      }
      if (answer === 'taken') {
        taken.add(index)
        unknown = at
      } else refused = at + 1
    }
    if (refused > 0) low = firsts[refused - 1]! + 1
    if (refused < firsts.length) high = firsts[refused]!
  }
  const firsts = mayBeThere ? [] : firstsOf(whole.keys, 0, low)
  // What was tried may be what is wrong, and not that it is there.
  for (const index of new Set([firsts[0], firsts[firsts.length >> 1]])) {
    if (index === undefined) break
    const answer = await to.send(whole.part([index]))
    if (answer === 'over') {
      to.giveUp(left(index))
      return
    }
    if (answer === 'refused') continue
    taken.add(index)
    low = 0
    break
  }
  if (low > 0) to.refuse(whole.part(range(0, low)))
  const rest = range(low, whole.length).filter((i) => !taken.has(i))
  await sendHalves(whole, rest, to)
}

/** In their order, halving what is refused. */
async function sendHalves(whole: SplitRequest, indexes: readonly number[], to: PartsSender): Promise<void> {
  const left: (readonly number[])[] = [indexes]
  for (let requests = 0; ; requests++) {
    const next = left.pop()
    if (!next) return
    if (next.length === 0) continue
    const part = whole.part(next)
    const answer = requests < MAX_HALVES ? await to.send(part) : 'refused'
    if (answer === 'over') {
      to.giveUp(whole.part(left.flat()))
      return
    }
    if (answer === 'taken') continue
    const middle = next.length >> 1
    if (requests >= MAX_HALVES || next.length === 1) to.refuse(part)
    else left.push(next.slice(middle), next.slice(0, middle))
  }
}

/** Indexes of [from, to) of which the series stands nowhere between `from` and them. */
function firstsOf(keys: readonly string[], from: number, to: number): number[] {
  const seen = new Set<string>()
  const firsts: number[] = []
  for (let i = from; i < to; i++) {
    if (seen.has(keys[i]!)) continue
    seen.add(keys[i]!)
    firsts.push(i)
  }
  return firsts
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)
