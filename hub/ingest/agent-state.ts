/**
 * What the hub remembers of one agent: cursors, dictionaries and keyframes by epoch, and the gap ledger. A pure function
 * of the log: the same records in the same order give the same state, which is what makes replay exact. Bounded.
 */

import { EMPTY_LABELS, type Labels } from '../../protocol/labels/mod.ts'
import type { DecodedKeyframe } from './codec.ts'
import { Dictionary } from './dictionary.ts'
import { Ledger, type LedgerState } from './ledger.ts'
import { StoredBatches, type StoredState } from './stored-batches.ts'

/** Cursors are small and kept long: without one, a late batch of its epoch could be stored twice. */
export const MAX_EPOCHS = 256
/** Epochs whose dictionaries and keyframes are kept; others ask for their keyframe again. */
export const MAX_LIVE_EPOCHS = 4
/** Keyframes per epoch: of the fresh stream, and of the backlog beside it. */
export const MAX_KEYFRAMES = 3
/**
 * While the log is replayed more are kept: which ones are kept depends on which were used last, and a damaged record was
 * a use that replay does not see. Without slack it could forget one that all that follows in the log needs.
 */
export const REPLAY_SLACK = 4
const MAX_CHAIN_BREAKS = 64

export type Keyframe = { readonly decoded: DecodedKeyframe; readonly bytes: Uint8Array }
export type ChainBreak = { readonly epoch: number; readonly sequence: number; readonly receivedMs: number }

export class EpochState {
  readonly stored: StoredBatches
  dictionary = new Dictionary()
  /** By sequence, least recently used first. */
  readonly keyframes = new Map<number, Keyframe>()
  lastUse = 0

  constructor(stored = new StoredBatches()) {
    this.stored = stored
  }

  /** The keyframe, which becomes the most recently used one. */
  useKeyframe(sequence: number): Keyframe | null {
    const keyframe = this.keyframes.get(sequence)
    if (!keyframe) return null
    this.keyframes.delete(sequence)
    this.keyframes.set(sequence, keyframe)
    return keyframe
  }

  /** @param slack factor on the number that is kept, see `REPLAY_SLACK` */
  keepKeyframe(sequence: number, keyframe: Keyframe, slack = 1): void {
    this.keyframes.delete(sequence)
    this.keyframes.set(sequence, keyframe)
    this.dropKeyframes(slack)
  }

  dropKeyframes(slack = 1): void {
    while (this.keyframes.size > MAX_KEYFRAMES * slack) this.keyframes.delete(this.keyframes.keys().next().value!)
  }

  /** Keyframes and dictionary go together: a cached keyframe promises that its definitions have refs. */
  forgetDictionary(): void {
    this.keyframes.clear()
    this.dictionary = new Dictionary()
  }
}

export type AgentSave = {
  readonly agent: string
  readonly identity: Labels
  /** Epochs up to this one take no more batches; -1 none. */
  readonly closedEpoch: number
  readonly lastReceivedMs: number
  readonly newestSampleMs: number
  readonly samples: number
  readonly chainBreaks: readonly ChainBreak[]
  readonly ledger: LedgerState
  readonly epochs: readonly {
    readonly epoch: number
    readonly stored: StoredState
    readonly lastUse: number
    readonly keyframes: readonly Uint8Array[]
  }[]
}

export class AgentState {
  readonly agent: string
  identity: Labels = EMPTY_LABELS
  readonly epochs = new Map<number, EpochState>()
  ledger = new Ledger()
  closedEpoch = -1
  lastReceivedMs = 0
  newestSampleMs = 0
  samples = 0
  chainBreaks: ChainBreak[] = []
  #uses = 0

  constructor(agent: string) {
    this.agent = agent
  }

  /** Null for an epoch that is closed. */
  epoch(epoch: number): EpochState | null {
    const known = this.epochs.get(epoch)
    if (known) return known
    return epoch <= this.closedEpoch ? null : new EpochState()
  }

  /** Remembers that `state` was written to; beyond the limits, the ones used longest ago give up what they hold. */
  touch(epoch: number, state: EpochState, slack = 1): void {
    state.lastUse = ++this.#uses
    this.epochs.set(epoch, state)
    if (this.epochs.size > MAX_EPOCHS) {
      const oldest = Math.min(...this.epochs.keys())
      this.epochs.delete(oldest)
      this.closedEpoch = Math.max(this.closedEpoch, oldest)
    }
    this.#dropEpochs(slack)
  }

  /** The log is replayed: from here on no more is kept than is needed. */
  endReplay(): void {
    for (const epoch of this.epochs.values()) epoch.dropKeyframes()
    this.#dropEpochs(1)
  }

  #dropEpochs(slack: number): void {
    const live = [...this.epochs.values()].filter((each) => each.keyframes.size > 0)
    if (live.length <= MAX_LIVE_EPOCHS * slack) return
    live.sort((a, b) => a.lastUse - b.lastUse)
    for (const epoch of live.slice(0, live.length - MAX_LIVE_EPOCHS * slack)) epoch.forgetDictionary()
  }

  setIdentity(identity: Labels): void {
    this.identity = identity
    // Refs belong to the labels as they were: the next batch brings, or asks for, its keyframe.
    for (const epoch of this.epochs.values()) epoch.forgetDictionary()
  }

  noteChainBreak(chainBreak: ChainBreak): void {
    this.chainBreaks.push(chainBreak)
    if (this.chainBreaks.length > MAX_CHAIN_BREAKS) this.chainBreaks.shift()
  }

  /** Whether every batch that is known to exist is here. */
  get isComplete(): boolean {
    for (const epoch of this.epochs.values()) if (!epoch.stored.isContiguous) return false
    return true
  }

  get holes(): number {
    let holes = 0
    for (const { stored } of this.epochs.values()) {
      const intervals = stored.intervals()
      holes += intervals.length - (intervals[0]?.[0] === 0 ? 1 : 0)
    }
    return holes
  }

  save(): AgentSave {
    return {
      agent: this.agent,
      identity: this.identity,
      closedEpoch: this.closedEpoch,
      lastReceivedMs: this.lastReceivedMs,
      newestSampleMs: this.newestSampleMs,
      samples: this.samples,
      chainBreaks: this.chainBreaks,
      ledger: this.ledger.save(),
      epochs: [...this.epochs].map(([epoch, state]) => ({
        epoch,
        stored: state.stored.save(),
        lastUse: state.lastUse,
        keyframes: [...state.keyframes.values()].map((keyframe) => keyframe.bytes),
      })),
    }
  }

  /** All but the keyframes, which need the head: see `BatchIntake.restore`. */
  static load(saved: AgentSave): AgentState {
    const state = new AgentState(saved.agent)
    state.identity = saved.identity
    state.closedEpoch = saved.closedEpoch
    state.lastReceivedMs = saved.lastReceivedMs
    state.newestSampleMs = saved.newestSampleMs
    state.samples = saved.samples
    state.chainBreaks = [...saved.chainBreaks]
    state.ledger = Ledger.load(saved.ledger)
    for (const { epoch, stored, lastUse } of saved.epochs) {
      const each = new EpochState(StoredBatches.load(stored))
      each.lastUse = lastUse
      state.epochs.set(epoch, each)
      state.#uses = Math.max(state.#uses, lastUse)
    }
    return state
  }
}
