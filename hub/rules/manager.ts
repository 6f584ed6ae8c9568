/** All rule groups: loaded from files, evaluated on time, replaced on reload without losing their state. */
import type { Clock, Logger, Timer } from '../../protocol/env/mod.ts'
import { Summary } from '../../protocol/exposition/mod.ts'
import { Group, type GroupEnv, type RuleTimes } from './group.ts'
import type { RuleGroup } from './rule-file.ts'

export type ManagerOptions = {
  readonly clock: Clock
  readonly log: Logger
  readonly env: Omit<GroupEnv, 'monotonic' | 'onFailure' | 'times'>
}

type Running = { readonly group: Group; timer: Timer | null; stopped: boolean; busy: Promise<void> }

export class RuleManager {
  readonly times: RuleTimes = {
    rule: new Summary([0.5, 0.9, 0.99]),
    group: new Summary([0.01, 0.05, 0.5, 0.9, 0.99]),
  }
  readonly #options: ManagerOptions
  readonly #running = new Map<string, Running>()
  #env: GroupEnv

  constructor(options: ManagerOptions) {
    this.#options = options
    this.#env = {
      ...options.env,
      monotonic: () => options.clock.monotonic(),
      times: this.times,
      onFailure: ({ file, name, rules }, index, err) =>
        options.log.warn('Evaluating rule failed', { file, group: name, index, name: rules[index]!.name, err }),
    }
  }

  get groups(): readonly Group[] {
    return [...this.#running.values()].map(({ group }) => group)
  }

  /** Starts, keeps or ends groups so that just `definitions` run. Unchanged groups are not disturbed. */
  apply(
    definitions: readonly RuleGroup[],
    defaults: { readonly intervalMs: number; readonly queryOffsetMs: number },
    context: GroupEnv['context'],
  ): void {
    this.#env = { ...this.#env, context }
    const wanted = new Map<string, Group>()
    for (const definition of definitions) {
      const group = new Group(definition, defaults)
      wanted.set(group.key, group)
    }
    for (const [key, running] of this.#running) {
      const next = wanted.get(key)
      const same =
        next &&
        JSON.stringify([next.definition, next.intervalMs, next.queryOffsetMs]) ===
          JSON.stringify([running.group.definition, running.group.intervalMs, running.group.queryOffsetMs])
      if (same) {
        wanted.delete(key)
        continue
      }
      this.#halt(running)
      this.#running.delete(key)
      if (next) next.takeOver(running.group)
      else
        void running.busy
          .then(() => this.#env.append(this.#options.clock.now(), running.group.staleMarkers()))
          .catch((err) => this.#options.log.error('Rule group could not be ended', { group: key, err }))
    }
    for (const [key, group] of wanted) {
      const running: Running = { group, timer: null, stopped: false, busy: Promise.resolve() }
      this.#running.set(key, running)
      this.#schedule(running)
    }
  }

  async stop(): Promise<void> {
    for (const running of this.#running.values()) this.#halt(running)
    await Promise.all([...this.#running.values()].map(({ busy }) => busy))
  }

  #halt(running: Running): void {
    running.stopped = true
    running.timer?.cancel()
  }

  #schedule(running: Running): void {
    const { clock } = this.#options
    const now = clock.now()
    const next = nextSlot(running.group.key, running.group.intervalMs, now)
    running.timer = clock.setTimer(next - now, () => {
      running.busy = this.#evaluate(running, next)
    })
  }

  async #evaluate(running: Running, slotMs: number): Promise<void> {
    const { clock, log } = this.#options
    const { group } = running
    try {
      await group.evaluate(slotMs, this.#env)
    } catch (err) {
      log.error('Rule group failed', { group: group.key, err })
    }
    if (running.stopped) return
    const missed = Math.floor((clock.now() - slotMs) / group.intervalMs)
    if (missed > 0) {
      group.counters.missed += missed
      group.counters.iterations += missed
    }
    this.#schedule(running)
  }
}

/** The group's own offset within the interval keeps many groups from starting at once; it is pinned to absolute time. */
export function nextSlot(key: string, intervalMs: number, nowMs: number): number {
  const offset = fnv1a(key) % intervalMs
  return (Math.floor((nowMs - offset) / intervalMs) + 1) * intervalMs + offset
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0
  return hash
}
