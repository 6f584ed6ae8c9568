/**
 * Which batches of one (agent, epoch) are stored: sorted, disjoint intervals of sequence numbers, with the hashes at
 * their ends, so that the hash chain is judged the moment two neighbours are both there, in whatever order they came.
 */
import type { SequenceInterval } from '../../protocol/batch/types.ts'

type Run = {
  first: number
  last: number
  /** What batch `first` says of the one before it. */
  previousHash: Uint8Array
  /** Hash of batch `last`. */
  lastHash: Uint8Array
}

export type StoredState = {
  readonly runs: readonly (readonly [first: number, last: number, previousHash: Uint8Array, lastHash: Uint8Array])[]
}

export class StoredBatches {
  readonly #runs: Run[] = []

  get intervalCount(): number {
    return this.#runs.length
  }

  /** -1 when empty. */
  get newest(): number {
    return this.#runs.at(-1)?.last ?? -1
  }

  /** True when every sequence from 0 to the newest is there. */
  get isContiguous(): boolean {
    return this.#runs.length === 0 || (this.#runs.length === 1 && this.#runs[0]!.first === 0)
  }

  has(sequence: number): boolean {
    const run = this.#runs[this.#runBefore(sequence)]
    return run !== undefined && sequence <= run.last
  }

  /** Whether `sequence` would begin an interval of its own: what the limit on intervals looks at. */
  standsAlone(sequence: number): boolean {
    const at = this.#runBefore(sequence)
    return this.#runs[at]?.last !== sequence - 1 && this.#runs[at + 1]?.first !== sequence + 1
  }

  /**
   * Adds a sequence that is not there yet; the hashes are kept, not copied.
   * @returns the sequences whose `previousHash` does not match their predecessor: a chain that was broken or forged
   */
  add(sequence: number, previousHash: Uint8Array, hash: Uint8Array): number[] {
    const at = this.#runBefore(sequence)
    const before = this.#runs[at]
    const after = this.#runs[at + 1]
    const broken: number[] = []
    const joinsBefore = before !== undefined && before.last === sequence - 1
    const joinsAfter = after !== undefined && after.first === sequence + 1
    if (joinsBefore && !equalBytes(before.lastHash, previousHash)) broken.push(sequence)
    if (joinsAfter && !equalBytes(hash, after.previousHash)) broken.push(sequence + 1)
    if (joinsBefore && joinsAfter) {
      before.last = after.last
      before.lastHash = after.lastHash
      this.#runs.splice(at + 1, 1)
    } else if (joinsBefore) {
      before.last = sequence
      before.lastHash = hash
    } else if (joinsAfter) {
      after.first = sequence
      after.previousHash = previousHash
    } else this.#runs.splice(at + 1, 0, { first: sequence, last: sequence, previousHash, lastHash: hash })
    return broken
  }

  intervals(): SequenceInterval[] {
    return this.#runs.map(({ first, last }) => [first, last] as const)
  }

  save(): StoredState {
    return { runs: this.#runs.map((run) => [run.first, run.last, run.previousHash, run.lastHash] as const) }
  }

  static load(state: StoredState): StoredBatches {
    const set = new StoredBatches()
    for (const [first, last, previousHash, lastHash] of state.runs)
      set.#runs.push({ first, last, previousHash, lastHash })
    return set
  }

  /** Index of the last run that begins at or before `sequence`; -1 if none does. */
  #runBefore(sequence: number): number {
    let low = 0
    let high = this.#runs.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#runs[middle]!.first <= sequence) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
