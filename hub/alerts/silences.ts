/**
 * Silences: set, replaced, ended, kept over restarts, and shared by all members of a cluster.
 * Semantics: Alertmanager silence/silence.go (v0.34).
 */
import type { Clock, Logger, Random } from '../../protocol/env/mod.ts'
import { type Labels, labelValue } from '../../protocol/labels/mod.ts'
import { compileRegex, type MatchOp } from '../../protocol/matchers/mod.ts'
import type { Entry, LocalEntries, Merged, SharedEntries } from '../cluster/mod.ts'
import { type AlertMatcher, matchesAll, newMatcher } from './matchers/mod.ts'
import type { StateStore } from './state-store.ts'

export type PlainMatcher = { readonly name: string; readonly op: MatchOp; readonly value: string }
export type SilenceState = 'pending' | 'active' | 'expired'

export type Silence = {
  readonly id: string
  readonly matchers: readonly PlainMatcher[]
  readonly startsAtMs: number
  readonly endsAtMs: number
  readonly updatedAtMs: number
  readonly createdBy: string
  readonly comment: string
  readonly annotations: Readonly<Record<string, string>>
}

/** `id` '' makes a new one. */
export type SilenceRequest = Omit<Silence, 'updatedAtMs'>

export class SilenceError extends Error {
  readonly code: 'invalid' | 'not-found'
  constructor(code: SilenceError['code'], message: string) {
    super(message)
    this.name = 'SilenceError'
    this.code = code
  }
}

export type SilencesEnv = {
  readonly clock: Clock
  readonly store: StateStore
  readonly log: Logger
  readonly random: Pick<Random, 'bytes'>
}

/** After their end; then they are forgotten. */
const RETENTION_MS = 120 * 3600_000
const SILENCES_MAX = 10_000

export class Silences implements LocalEntries {
  readonly #env: SilencesEnv
  readonly #silences = new Map<string, Silence>()
  readonly #compiled = new Map<string, readonly AlertMatcher[]>()
  #shared: Pick<SharedEntries, 'changed' | 'forgotten'> | null = null
  queries = 0
  sweeps = 0
  sweepFailures = 0

  constructor(env: SilencesEnv) {
    this.#env = env
    for (const [id, text] of env.store.load('silence')) {
      const silence = decode(id, text)
      if (silence) this.#silences.set(id, silence)
      else env.log.error('A silence cannot be read and is left out: what was silenced is not any more', { silence: id })
    }
  }

  /** Before the cluster starts. */
  share(shared: Pick<SharedEntries, 'changed' | 'forgotten'>): void {
    this.#shared = shared
  }

  /** Active ones by their end, then those to come by their start, then the past, the latest first. */
  list(): Silence[] {
    const order = { active: 0, pending: 1, expired: 2 }
    return [...this.#silences.values()].sort((a, b) => {
      const state = this.state(a)
      if (state !== this.state(b)) return order[state] - order[this.state(b)]
      if (state === 'pending') return a.startsAtMs - b.startsAtMs
      return state === 'active' ? a.endsAtMs - b.endsAtMs : b.endsAtMs - a.endsAtMs
    })
  }

  get(id: string): Silence | null {
    return this.#silences.get(id) ?? null
  }

  state({ startsAtMs, endsAtMs }: Pick<Silence, 'startsAtMs' | 'endsAtMs'>): SilenceState {
    const nowMs = this.#env.clock.now()
    return nowMs < startsAtMs ? 'pending' : nowMs >= endsAtMs ? 'expired' : 'active'
  }

  /** Ids of the active silences that match. */
  silencing(labels: Labels): string[] {
    this.queries++
    const out: string[] = []
    for (const silence of this.#silences.values())
      if (this.state(silence) === 'active' && matchesAll(this.matchers(silence), (name) => labelValue(labels, name)))
        out.push(silence.id)
    return out.sort()
  }

  matchers({ id, matchers }: Pick<Silence, 'id' | 'matchers'>): readonly AlertMatcher[] {
    const known = this.#compiled.get(id)
    if (known) return known
    const compiled = matchers.map(({ name, op, value }) => newMatcher(name, op, value))
    this.#compiled.set(id, compiled)
    return compiled
  }

  /** On disk when it returns. @returns the id, a new one where the change cannot be made in place. @throws SilenceError */
  set(request: SilenceRequest): string {
    const nowMs = this.#env.clock.now()
    const asked = { ...request, startsAtMs: request.startsAtMs || nowMs }
    validate(asked, nowMs)
    const old = asked.id === '' ? undefined : this.#silences.get(asked.id)
    if (asked.id !== '' && !old) throw new SilenceError('not-found', 'silence not found')
    // Whoever changes a silence knows the one before: theirs is the later, whatever the other's clock says.
    const updatedAtMs = Math.max(nowMs, old ? old.updatedAtMs + 1 : 0)
    if (old && this.#canUpdate(old, asked, nowMs)) return this.#put([{ ...asked, updatedAtMs }])
    this.sweep(nowMs)
    if (this.#silences.size >= SILENCES_MAX)
      throw new SilenceError('invalid', `exceeded maximum number of silences: ${SILENCES_MAX}`)
    const startsAtMs = Math.max(asked.startsAtMs, nowMs)
    const next = { ...asked, id: this.#newId(), startsAtMs, updatedAtMs: nowMs }
    return this.#put(old && this.state(old) !== 'expired' ? [ended(old, nowMs), next] : [next])
  }

  /** Ends it now; one that is over stays as it is. @throws SilenceError */
  expire(id: string): void {
    const silence = this.#silences.get(id)
    if (!silence) throw new SilenceError('not-found', 'silence not found')
    if (this.state(silence) === 'expired') return
    this.#put([ended(silence, this.#env.clock.now())])
  }

  /** Forgets those that ended long ago. */
  sweep(nowMs: number): void {
    this.sweeps++
    const gone = [...this.#silences.values()].filter((each) => isForgotten(each, nowMs)).map(({ id }) => id)
    if (gone.length === 0) return
    for (const id of gone) {
      this.#silences.delete(id)
      this.#compiled.delete(id)
      this.#shared?.forgotten(id)
    }
    try {
      this.#env.store.delete('silence', gone)
    } catch (err) {
      this.sweepFailures++
      this.#env.log.warn('Silences that ended long ago could not be removed', { err })
    }
  }

  *keys(): Iterable<string> {
    const nowMs = this.#env.clock.now()
    for (const silence of this.#silences.values()) if (!isForgotten(silence, nowMs)) yield silence.id
  }

  text(id: string): string | undefined {
    const silence = this.#silences.get(id)
    return silence && !isForgotten(silence, this.#env.clock.now()) ? encode(silence) : undefined
  }

  /** The one that was changed later stays. */
  merge(entries: readonly Entry[]): Merged[] {
    const nowMs = this.#env.clock.now()
    const taken: Silence[] = []
    const out = entries.map(([id, text]): Merged => {
      const silence = decode(id, text)
      const own = this.#silences.get(id)
      if (own && !isForgotten(own, nowMs) && (!silence || own.updatedAtMs > silence.updatedAtMs)) return 'ours is newer'
      if (!silence || isForgotten(silence, nowMs)) return 'same'
      taken.push(silence)
      return 'taken'
    })
    for (const silence of taken) {
      this.#silences.set(silence.id, silence)
      this.#compiled.delete(silence.id)
    }
    if (taken.length > 0) {
      try {
        this.#save(taken)
      } catch (err) {
        // The other members have them, and tell them again after a restart.
        this.#env.log.error('Silences of other members could not be written', { err })
      }
    }
    return out
  }

  /** What an active or coming silence allows to change without becoming another. */
  #canUpdate(old: Silence, next: SilenceRequest, nowMs: number): boolean {
    if (JSON.stringify(old.matchers) !== JSON.stringify(next.matchers)) return false
    const seconds = (ms: number): number => Math.floor(ms / 1000)
    switch (this.state(old)) {
      case 'active':
        return seconds(next.startsAtMs) === seconds(old.startsAtMs) && next.endsAtMs >= nowMs
      case 'pending':
        return next.startsAtMs >= nowMs
      case 'expired':
        return false
    }
  }

  /** One that is not on disk would be gone after a restart: then the caller is told. @returns the last one's id @throws DiskError */
  #put(silences: readonly Silence[]): string {
    this.#save(silences)
    for (const silence of silences) {
      this.#silences.set(silence.id, silence)
      void this.#shared?.changed(silence.id)
    }
    return silences.at(-1)!.id
  }

  /** @throws DiskError */
  #save(silences: readonly Silence[]): void {
    this.#env.store.put(
      'silence',
      silences.map((silence) => [silence.id, encode(silence)]),
    )
  }

  #newId(): string {
    const bytes = this.#env.random.bytes(16)
    bytes[6] = (bytes[6]! & 0x0f) | 0x40
    bytes[8] = (bytes[8]! & 0x3f) | 0x80
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  }
}

function encode(silence: Silence): string {
  const { id, matchers, startsAtMs, endsAtMs, updatedAtMs, createdBy, comment, annotations } = silence
  return JSON.stringify({
    version: 1,
    id,
    matchers,
    startsAtMs,
    endsAtMs,
    updatedAtMs,
    createdBy,
    comment,
    annotations,
  })
}

/** null for what is none, or of a version to come. */
function decode(id: string, text: string): Silence | null {
  try {
    const { version, ...silence } = JSON.parse(text) as Silence & { readonly version: number }
    const times = [silence.startsAtMs, silence.endsAtMs, silence.updatedAtMs]
    if (version !== 1 || silence.id !== id || !times.every(Number.isFinite)) return null
    // Its matchers are whole if they can be made.
    for (const { name, op, value } of silence.matchers) newMatcher(name, op, value)
    return silence
  } catch {
    return null
  }
}

const isForgotten = ({ endsAtMs }: Silence, nowMs: number): boolean => endsAtMs + RETENTION_MS < nowMs

function ended(silence: Silence, nowMs: number): Silence {
  const startsAtMs = Math.min(silence.startsAtMs, nowMs)
  return { ...silence, startsAtMs, endsAtMs: nowMs, updatedAtMs: Math.max(nowMs, silence.updatedAtMs + 1) }
}

function validate({ matchers, startsAtMs, endsAtMs }: SilenceRequest, nowMs: number): void {
  const fail = (problem: string): never => {
    throw new SilenceError('invalid', `invalid silence: ${problem}`)
  }
  if (matchers.length === 0) fail('at least one matcher required')
  // Upstream's silences are sets of matchers, of which its API makes one.
  for (const [i, matcher] of matchers.entries()) {
    const problem = problemOf(matcher)
    if (problem !== null) fail(`invalid label matcher ${i} in set 0: ${problem}`)
  }
  if (matchers.every(matchesEmpty)) fail('matcher set 0: at least one matcher must not match the empty string')
  if (endsAtMs <= startsAtMs) fail('end time must not be before start time')
  if (endsAtMs <= nowMs) fail('end time cannot be in the past')
}

function problemOf({ name, op, value }: PlainMatcher): string | null {
  if (name === '' || !name.isWellFormed()) return `invalid label name ${JSON.stringify(name)}`
  if (!value.isWellFormed()) return `invalid label value ${JSON.stringify(value)}`
  if (op === '=' || op === '!=') return null
  try {
    compileRegex(value)
    return null
  } catch (error) {
    return `invalid regular expression ${JSON.stringify(value)}: ${(error as Error).message}`
  }
}

/** That a negative matcher also matches alerts without the label is what it is for: it may stand alone. */
const matchesEmpty = ({ name, op, value }: PlainMatcher): boolean =>
  (op === '=' || op === '=~') && newMatcher(name, op, value).matches('')
