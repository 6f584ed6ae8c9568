/**
 * From a batch's bytes to samples in the head: who sent it, is it whole, is it new, what does it say. Everything that
 * can refuse a batch comes before the first change, so a batch is stored whole or not at all.
 *
 * Order: subject → header → enrolled agent → signature → cursor → (sizes, inflate, decode) → times → definitions →
 * head, ledger, cursor, log. The caller commits the log, and only then may hand on the acknowledgement. Only where
 * the head proves to have no room for some of it is part of a batch there, and not in the log: it comes again.
 */

import { BatchError, isTargetEnd } from '../../protocol/batch/mod.ts'
import type { Ack, BatchHeader, DecodedBatch, SeriesDefinition } from '../../protocol/batch/types.ts'
import type { Logger } from '../../protocol/env/mod.ts'
import { type Labels, labelValue, METRIC_NAME } from '../../protocol/labels/mod.ts'
import { parseBatchSubject, SubjectError } from '../../protocol/subjects/mod.ts'
import type { Appender } from '../tsdb/contract.ts'
import type { HeadMemory } from '../tsdb/head-contract.ts'
import { type AgentSave, AgentState, type EpochState, REPLAY_SLACK } from './agent-state.ts'
import type { BatchCodec, Decoded } from './codec.ts'
import { type AppendCounts, appendExemplars, appendScrape, newestMs, resolveScrape } from './columns.ts'
import type { BatchReason, IngestCounters } from './counters.ts'
import { type Dictionary, MAX_SERIES_ID, REFUSED, UNDEFINED } from './dictionary.ts'
import { withIdentity } from './identity-labels.ts'
import type { LimitSight } from './limit-sight.ts'
import { keepMetadata } from './local.ts'
import { BATCH_PREFIX_BYTES, batchPrefix, NO_CAP, RecordType, readReceived, readSeriesCap, toCbor } from './records.ts'
import type { SeriesRefusals } from './series-refusals.ts'
import type { StartZeros } from './start-zeros.ts'

/** Intervals of one cursor: more holes than an honest agent makes, and still small. */
export const MAX_CURSOR_INTERVALS = 8192
/** Below this the hub's own clock is plainly unset (2017), and says nothing about the agent's. */
const CLOCK_IS_SET_MS = 1.5e12

/** An enrolled agent as the ingest thread knows it. */
export type KnownAgent = {
  readonly agent: string
  /** Raw, 32 bytes. */
  readonly publicKey: Uint8Array
  readonly approved: boolean
  readonly identity: Labels
}

export type BatchLimitsOfHub = {
  /** Samples further ahead of the hub's clock than this refuse their batch. */
  readonly maxFutureMs: number
  /** Series in one epoch of one agent. */
  readonly maxSeriesPerAgent: number
  /** Of remote write and OTLP: how far behind the newest of all a sample may come late; absent: any is taken. */
  readonly outOfOrderWindowMs?: number | null
}

export type BatchIntakeOptions = {
  readonly head: Appender & { readonly memory: HeadMemory }
  readonly codec: BatchCodec
  readonly log: Logger
  readonly hub: string
  readonly limits: BatchLimitsOfHub
  readonly counters: IngestCounters
  readonly sight: LimitSight
  readonly refusals: SeriesRefusals
  readonly zeros: StartZeros
  readonly record: (type: number, parts: readonly Uint8Array[]) => void
}

/**
 * `ack` null: no answer, so that the agent keeps the batch and sends it again, be it for want of room (`no-room`) or
 * because it may become acceptable one day (`unanswered`: an operator may yet enrol the agent).
 */
export type Outcome = {
  readonly result: 'stored' | 'duplicate' | 'wanted' | 'refused' | 'unanswered' | 'no-room'
  readonly ack: Ack | null
}

export class BatchIntake {
  readonly agents = new Map<string, AgentState>()
  readonly refused = new Map<string, number>()
  readonly #options: BatchIntakeOptions
  #known: ReadonlyMap<string, KnownAgent> = new Map()
  #slack = REPLAY_SLACK

  constructor(options: BatchIntakeOptions) {
    this.#options = options
  }

  /** The log is replayed. */
  endReplay(): void {
    this.#slack = 1
    for (const agent of this.agents.values()) agent.endReplay()
  }

  setKnownAgents(agents: readonly KnownAgent[]): void {
    this.#known = new Map(agents.map((agent) => [agent.agent, agent]))
  }

  /** @param bytes kept until the next commit, and longer if it is a keyframe */
  accept(subject: string, bytes: Uint8Array, receivedMs: number): Outcome {
    let header: BatchHeader | null = null
    try {
      const from = parseBatchSubject(subject).agent
      header = this.#options.codec.readHeader(bytes)
      this.#options.codec.checkAgent(header, from)
      const known = this.#known.get(from)
      if (!known) return this.#refuse('unknown_agent', header, `agent "${from}" is not enrolled`, false)
      if (!known.approved) return this.#refuse('revoked_agent', header, `agent "${from}" was revoked`, false)
      this.#options.codec.verify(bytes, known.publicKey)
      return this.#acceptVerified(known, header, bytes, receivedMs)
    } catch (error) {
      if (error instanceof SubjectError) return this.#refuse('bad_subject', header, error.message, true)
      if (error instanceof BatchError) return this.#refuse(reasonOf(error), header, error.message, true)
      throw error
    }
  }

  /** Counts an answer that was not given for want of room. */
  noRoom(reason: BatchReason): Outcome {
    this.#count(reason)
    return { result: 'no-room', ack: null }
  }

  /** Applies a record of the log again. */
  replay(payload: Uint8Array): void {
    const bytes = payload.slice(BATCH_PREFIX_BYTES)
    const header = this.#options.codec.readHeader(bytes)
    const agent = this.#agent(header.agent)
    const epoch = agent.epoch(header.epoch)
    const isKeyframe = header.base === header.sequence
    if (!epoch) return
    if (isKeyframe && epoch.keyframes.has(header.sequence)) {
      // It came again because it had been forgotten, which a trim may have brought about: for what follows in the log
      // it must be as recently used as it was then. (The second copy of a keyframe comes here too, and changes nothing.)
      epoch.useKeyframe(header.sequence)
      agent.touch(header.epoch, epoch, this.#slack)
      return
    }
    if (epoch.stored.has(header.sequence) && !isKeyframe) return
    const receivedMs = readReceived(payload)
    const decoded = this.#decode(epoch, header, bytes)
    if (!decoded || !isDefined(epoch.dictionary, decoded.batch)) {
      this.#options.counters.replayLost++
      this.#options.log.error('Cannot apply a batch of the log again', {
        agent: header.agent,
        epoch: header.epoch,
        sequence: header.sequence,
        base: header.base,
      })
      return
    }
    this.#define(agent, epoch, decoded.batch.definitions, readSeriesCap(payload))
    this.#store(agent, epoch, bytes, decoded, receivedMs, this.#append(epoch, decoded.batch))
  }

  replayIdentity(agent: string, identity: Labels): void {
    this.#agent(agent).setIdentity(identity)
  }

  /** Takes an agent's state from a checkpoint. */
  restore(saved: AgentSave): void {
    const agent = AgentState.load(saved)
    this.agents.set(agent.agent, agent)
    for (const { epoch, keyframes } of saved.epochs)
      for (const bytes of keyframes) this.#restoreKeyframe(agent, agent.epochs.get(epoch)!, new Uint8Array(bytes))
  }

  #restoreKeyframe(agent: AgentState, epoch: EpochState, bytes: Uint8Array): void {
    const header = this.#options.codec.readHeader(bytes)
    const decoded = this.#decode(epoch, header, bytes)
    if (!decoded?.keyframe) throw new Error(`BUG: batch ${header.sequence} was saved as a keyframe and is none`)
    this.#define(agent, epoch, decoded.batch.definitions, NO_CAP)
    epoch.keepKeyframe(header.sequence, { decoded: decoded.keyframe, bytes })
  }

  #acceptVerified(known: KnownAgent, header: BatchHeader, bytes: Uint8Array, receivedMs: number): Outcome {
    const { head, limits, counters, hub } = this.#options
    const agent = this.#agent(header.agent)
    const epoch = agent.epoch(header.epoch)
    if (!epoch) return this.#refuse('epoch_closed', header, `epoch ${header.epoch} has been closed for long`, true)
    const isKeyframe = header.base === header.sequence
    const isDuplicate = epoch.stored.has(header.sequence)
    if (isDuplicate && !(isKeyframe && !epoch.keyframes.has(header.sequence))) {
      counters.batchesDuplicate++
      return { result: 'duplicate', ack: this.#storedAck(header) }
    }
    if (!isDuplicate && epoch.stored.standsAlone(header.sequence) && epoch.stored.intervalCount >= MAX_CURSOR_INTERVALS)
      return this.#refuse('cursor_full', header, `more than ${MAX_CURSOR_INTERVALS} holes in its sequences`, false)
    if (isAhead(header.maxTimeMs, receivedMs, limits.maxFutureMs)) return this.#future(header, receivedMs)
    if (!equalLabels(agent.identity, known.identity)) this.#setIdentity(agent, known.identity)
    const decoded = this.#decode(epoch, header, bytes)
    if (!decoded) {
      counters.keyframesWanted++
      return { result: 'wanted', ack: { kind: 'keyframe-wanted', epoch: header.epoch, base: header.base, hub } }
    }
    for (const scrape of decoded.batch.scrapes)
      if (isAhead(newestMs(scrape), receivedMs, limits.maxFutureMs)) return this.#future(header, receivedMs)
    if (!isDefined(epoch.dictionary, decoded.batch))
      return this.#refuse('undefined_series', header, 'it uses series that neither it nor its keyframe defines', true)
    const { failures } = head.memory
    this.#define(agent, epoch, decoded.batch.definitions, limits.maxSeriesPerAgent)
    const counts = this.#append(epoch, decoded.batch)
    if (head.memory.failures > failures) {
      // What of it is in the head is there a second time, as duplicates, when it comes again.
      this.#options.refusals.forget()
      this.#options.zeros.forget()
      return this.noRoom('memory_full')
    }
    const prefix = batchPrefix(receivedMs, limits.maxSeriesPerAgent)
    this.#options.refusals.logBefore(prefix, bytes)
    this.#options.zeros.logBefore(prefix, bytes)
    this.#options.record(RecordType.batch, [prefix, bytes])
    // Many batches cannot be read without their keyframe: it stands in the log twice, so that one bad sector costs none.
    if (isKeyframe) this.#options.record(RecordType.batch, [prefix, bytes])
    this.#store(agent, epoch, bytes, decoded, receivedMs, counts)
    if (isDuplicate) counters.batchesDuplicate++
    else {
      counters.batchesStored++
      counters.batchBytes += bytes.length
    }
    return { result: isDuplicate ? 'duplicate' : 'stored', ack: this.#storedAck(header) }
  }

  /** Null when its keyframe is not here. Changes nothing: what is remembered of a batch waits until it is stored. */
  #decode(epoch: EpochState, header: BatchHeader, bytes: Uint8Array): Decoded | null {
    const isKeyframe = header.base === header.sequence
    const base = isKeyframe ? null : epoch.keyframes.get(header.base)
    if (base === undefined) return null
    try {
      return this.#options.codec.decode(bytes, base?.decoded ?? null)
    } catch (error) {
      if (error instanceof BatchError) throw error
      // A batch that finds a bug in the decoder must not stop the hub each time that it is sent again.
      throw new BatchError('bad-payload', `Cannot decode batch ${header.sequence}: ${String(error)}`, { cause: error })
    }
  }

  /** Gives every new id its ref. */
  #define(agent: AgentState, epoch: EpochState, definitions: readonly SeriesDefinition[], seriesCap: number): void {
    const { head, counters, sight, refusals } = this.#options
    const { dictionary } = epoch
    for (const [position, { id, labels, metadata }] of definitions.entries()) {
      if (metadata) keepMetadata(head, labels, metadata)
      if (dictionary.ref(id) < REFUSED) continue
      if (dictionary.size >= seriesCap) {
        sight.note('series_per_agent', agent.agent)
        dictionary.set(id, REFUSED)
        continue
      }
      const own = withIdentity(labels, agent.identity)
      counters.identityClashes += own.clashes
      const ref = refusals.has(position) ? -1 : head.series(own.labels)
      if (ref < 0) refusals.note(position)
      dictionary.set(id, ref < 0 ? REFUSED : ref)
    }
  }

  /** @param counts of its samples, which the head has; null: it had them before */
  #store(
    agent: AgentState,
    epoch: EpochState,
    bytes: Uint8Array,
    decoded: Decoded,
    receivedMs: number,
    counts: AppendCounts | null,
  ): void {
    const { codec, counters, log } = this.#options
    const { batch, keyframe } = decoded
    const { header } = batch
    if (keyframe) epoch.keepKeyframe(header.sequence, { decoded: keyframe, bytes }, this.#slack)
    else epoch.useKeyframe(header.base)
    agent.touch(header.epoch, epoch, this.#slack)
    if (receivedMs > agent.lastReceivedMs) agent.lastReceivedMs = receivedMs
    if (counts === null) return
    counters.samplesStored += counts.stored
    counters.samplesNotStored += counts.notStored
    counters.samplesOverSeriesLimit += counts.refused
    agent.samples += counts.stored
    if (header.maxTimeMs > agent.newestSampleMs) agent.newestSampleMs = header.maxTimeMs
    for (const scrape of batch.scrapes) agent.ledger.collected(scrape, isTargetEnd(scrape))
    for (const missed of batch.missed) agent.ledger.missed(missed)
    for (const sequence of epoch.stored.add(header.sequence, header.previousHash, codec.hash(bytes))) {
      counters.chainBreaks++
      agent.noteChainBreak({ epoch: header.epoch, sequence, receivedMs })
      log.error('Hash chain of an agent is broken', { agent: agent.agent, epoch: header.epoch, sequence })
    }
  }

  /** Null: it is stored already. */
  #append(epoch: EpochState, batch: DecodedBatch): AppendCounts | null {
    if (epoch.stored.has(batch.header.sequence)) return null
    const counts: AppendCounts = { stored: 0, notStored: 0, refused: 0 }
    let resolved: ReturnType<typeof resolveScrape> = null
    let ids: Uint32Array | null = null
    const zeros = this.#options.zeros.begin()
    for (const scrape of batch.scrapes) {
      // Scrapes of one target share their array of ids.
      if (scrape.ids !== ids) resolved = resolveScrape(epoch.dictionary, (ids = scrape.ids))
      if (!resolved) throw new Error('BUG: a series lost its ref between check and use')
      zeros?.ofScrape(scrape, resolved.refs)
      appendScrape(this.#options.head, scrape, resolved.refs, resolved.refused, counts)
      appendExemplars(this.#options.head, epoch.dictionary, scrape)
    }
    return counts
  }

  #setIdentity(agent: AgentState, identity: Labels): void {
    agent.setIdentity(identity)
    this.#options.record(RecordType.identity, [toCbor({ agent: agent.agent, labels: identity })])
  }

  #agent(name: string): AgentState {
    let agent = this.agents.get(name)
    if (!agent) this.agents.set(name, (agent = new AgentState(name)))
    return agent
  }

  #storedAck(header: BatchHeader): Ack {
    const { epoch, sequence } = header
    return { kind: 'stored', epoch, sequences: [[sequence, sequence]], hub: this.#options.hub }
  }

  #future(header: BatchHeader, receivedMs: number): Outcome {
    const aheadS = Math.round((header.maxTimeMs - receivedMs) / 1000)
    return this.#refuse('future', header, `its samples are ${aheadS}s ahead of the hub; set the agent's clock`, true)
  }

  /** @param answer tell the agent to set it aside; false = say nothing, so that it keeps the batch and tries again */
  #refuse(reason: BatchReason, header: BatchHeader | null, why: string, answer: boolean): Outcome {
    const { log, hub } = this.#options
    this.#count(reason)
    log.warn('Refused a batch', {
      reason,
      why,
      agent: header?.agent,
      epoch: header?.epoch,
      sequence: header?.sequence,
    })
    if (!header || !answer) return { result: 'unanswered', ack: null }
    const { epoch, sequence } = header
    return { result: 'refused', ack: { kind: 'refused', epoch, sequence, reason, hub } }
  }

  #count(reason: BatchReason): void {
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1)
  }
}

/** Whether every id in the scrapes has been defined, here or before. */
function isDefined(dictionary: Dictionary, batch: DecodedBatch): boolean {
  let here: Set<number> | null = null
  let checked: Uint32Array | null = null
  for (const { ids } of batch.scrapes) {
    if (ids === checked) continue
    checked = ids
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!
      if (dictionary.ref(id) !== UNDEFINED) continue
      here ??= new Set(batch.definitions.map((definition) => definition.id))
      if (id > MAX_SERIES_ID || !here.has(id)) return false
    }
  }
  return true
}

const reasonOf = (error: BatchError): BatchReason => error.code.replaceAll('-', '_') as BatchReason

const isAhead = (timeMs: number, receivedMs: number, maxFutureMs: number): boolean =>
  timeMs > newestTimeAt(receivedMs, maxFutureMs)

/** That a sample may have; any where the clock is not set. */
export const newestTimeAt = (receivedMs: number, maxFutureMs: number): number =>
  receivedMs > CLOCK_IS_SET_MS ? receivedMs + maxFutureMs : Number.POSITIVE_INFINITY

function equalLabels(a: Labels, b: Labels): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i])
}
