/** Silences: set, replaced, ended, kept over restarts. Semantics: Alertmanager silence/silence.go (v0.34). */
import type { Clock, Disk, Logger, Random } from '../../protocol/env/mod.ts'
import { type Labels, labelValue } from '../../protocol/labels/mod.ts'
import { compileRegex, type MatchOp } from '../../protocol/matchers/mod.ts'
import { type AlertMatcher, matchesAll, newMatcher } from './matchers/mod.ts'

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
  readonly disk: Pick<Disk, 'readText' | 'stat' | 'writeFileAtomic' | 'rename'>
  readonly log: Logger
  readonly random: Pick<Random, 'bytes'>
  readonly file: string
}

/** After their end; then they are forgotten. */
const RETENTION_MS = 120 * 3600_000
const SILENCES_MAX = 10_000

export class Silences {
  readonly #env: SilencesEnv
  readonly #silences = new Map<string, Silence>()
  readonly #compiled = new Map<string, readonly AlertMatcher[]>()

  constructor(env: SilencesEnv) {
    this.#env = env
    this.#load()
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
    if (old && this.#canUpdate(old, asked, nowMs)) return this.#put({ ...asked, updatedAtMs: nowMs })
    if (old && this.state(old) !== 'expired') this.#put(ended(old, nowMs), false)
    this.#sweep(nowMs)
    if (this.#silences.size >= SILENCES_MAX)
      throw new SilenceError('invalid', `exceeded maximum number of silences: ${SILENCES_MAX}`)
    const startsAtMs = Math.max(asked.startsAtMs, nowMs)
    return this.#put({ ...asked, id: this.#newId(), startsAtMs, updatedAtMs: nowMs })
  }

  /** Ends it now; one that is over stays as it is. @throws SilenceError */
  expire(id: string): void {
    const silence = this.#silences.get(id)
    if (!silence) throw new SilenceError('not-found', 'silence not found')
    if (this.state(silence) === 'expired') return
    this.#put(ended(silence, this.#env.clock.now()))
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

  #put(silence: Silence, save = true): string {
    this.#silences.set(silence.id, silence)
    if (save) this.#save()
    return silence.id
  }

  #sweep(nowMs: number): void {
    for (const [id, { endsAtMs }] of this.#silences)
      if (endsAtMs + RETENTION_MS < nowMs) {
        this.#silences.delete(id)
        this.#compiled.delete(id)
      }
  }

  #newId(): string {
    const bytes = this.#env.random.bytes(16)
    bytes[6] = (bytes[6]! & 0x0f) | 0x40
    bytes[8] = (bytes[8]! & 0x3f) | 0x80
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  }

  /** A silence that is not on disk would be gone after a restart: the caller is told. @throws DiskError */
  #save(): void {
    const { disk, file } = this.#env
    disk.writeFileAtomic(file, JSON.stringify({ version: 1, silences: [...this.#silences.values()] }), { mode: 0o600 })
  }

  #load(): void {
    const { disk, log, file } = this.#env
    if (disk.stat(file) === null) return
    try {
      const { version, silences } = JSON.parse(disk.readText(file)) as { version: number; silences: Silence[] }
      if (version !== 1) throw new Error(`unknown version ${version}`)
      for (const silence of silences) {
        this.matchers(silence)
        this.#silences.set(silence.id, silence)
      }
    } catch (err) {
      log.error('The silences cannot be read and are set aside: what was silenced is not any more', { file, err })
      this.#silences.clear()
      this.#compiled.clear()
      try {
        disk.rename(file, `${file}.damaged`)
      } catch {
        // It will be overwritten.
      }
    }
  }
}

function ended(silence: Silence, nowMs: number): Silence {
  const startsAtMs = Math.min(silence.startsAtMs, nowMs)
  return { ...silence, startsAtMs, endsAtMs: nowMs, updatedAtMs: nowMs }
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
