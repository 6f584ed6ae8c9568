/** All rule groups: loaded from files, evaluated on time, replaced on reload without losing their state. */
import type { Clock, Logger, Timer } from '../../protocol/env/mod.ts'
import { Summary } from '../../protocol/exposition/mod.ts'
import { Group, type GroupDefaults, type GroupEnv, type RuleTimes } from './group.ts'
import type { RuleGroup } from './rule-file.ts'

export type ManagerOptions = {
  readonly clock: Clock
  readonly log: Logger
  readonly env: Omit<GroupEnv, 'monotonic' | 'onFailure' | 'times'>
}

type Running = {
  readonly group: Group
  timer: Timer | null
  stopped: boolean
  /** Until it is over, the group's state is about to change. */
  busy: Promise<void>
  isBusy: boolean
}

export class RuleManager {
  readonly times: RuleTimes = {
    rule: new Summary([0.5, 0.9, 0.99]),
    group: new Summary([0.01, 0.05, 0.5, 0.9, 0.99]),
  }
  readonly #options: ManagerOptions
  readonly #running = new Map<string, Running>()
  #env: GroupEnv
  /** Of groups that are gone, until their series are ended. */
  readonly #endings = new Set<Timer>()
  /** Groups that come with a reload have nothing to restore. */
  #isFirst = true

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
    defaults: Omit<GroupDefaults, 'restoreForMs'>,
    context: GroupEnv['context'],
  ): void {
    this.#env = { ...this.#env, context }
    const restoreForMs = this.#isFirst ? this.#env.forGracePeriodMs : undefined
    this.#isFirst = false
    const wanted = new Map<string, Group>()
    for (const definition of definitions) {
      const group = new Group(definition, { ...defaults, restoreForMs })
      wanted.set(group.key, group)
    }
    const replaced = new Map<string, Running>()
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
      if (next) replaced.set(key, running)
      else this.#end(running)
    }
    for (const [key, group] of wanted) {
      const running: Running = { group, timer: null, stopped: false, busy: Promise.resolve(), isBusy: false }
      this.#running.set(key, running)
      const old = replaced.get(key)
      if (old?.isBusy) occupy(running, () => old.busy.then(() => group.takeOver(old.group)))
      else if (old) group.takeOver(old.group)
      this.#schedule(running)
    }
  }

  async stop(): Promise<void> {
    for (const running of this.#running.values()) this.#halt(running)
    for (const timer of this.#endings) timer.cancel()
    await Promise.all([...this.#running.values()].map(({ busy }) => busy))
  }

  #halt(running: Running): void {
    running.stopped = true
    running.timer?.cancel()
  }

  /**
   * Ends the series of a group that is gone, as of now, but after two intervals: those of rules that were moved, or whose
   * group was renamed, are told by another group by then. Semantics: Prometheus rules/group.go, Group.run.
   */
  #end({ group, busy }: Running): void {
    const { clock, log } = this.#options
    const goneMs = clock.now()
    const timer = clock.setTimer(2 * group.intervalMs, () => {
      this.#endings.delete(timer)
      void busy
        .then(async () => {
          const ended = group.staleMarkers().filter(({ labels }) => !this.groups.some((other) => other.tells(labels)))
          if (ended.length > 0) await this.#env.append(goneMs - group.queryOffsetMs, ended)
        })
        .catch((err) => log.error('Rule group could not be ended', { group: group.key, err }))
    })
    this.#endings.add(timer)
  }

  /** @param dueMs the slot to evaluate, when it is not the next one */
  #schedule(running: Running, dueMs?: number): void {
    const { clock } = this.#options
    const now = clock.now()
    const slot = dueMs ?? nextSlot(running.group.key, running.group.intervalMs, now)
    running.timer = clock.setTimer(Math.max(0, slot - now), () =>
      occupy(running, () => running.busy.then(() => this.#evaluate(running, slot))),
    )
  }

  async #evaluate(running: Running, slotMs: number): Promise<void> {
    if (running.stopped) return
    const { clock, log } = this.#options
    const { group } = running
    try {
      await group.evaluate(slotMs, this.#env)
    } catch (err) {
      log.error('Rule group failed', { group: group.key, err })
    }
    if (running.stopped) return
    // What has become due runs at once; of several, the newest, and the others are missed. As upstream's ticker.
    const due = Math.floor((clock.now() - slotMs) / group.intervalMs)
    if (due < 1) return this.#schedule(running)
    group.counters.missed += due - 1
    group.counters.iterations += due - 1
    this.#schedule(running, slotMs + due * group.intervalMs)
  }
}

function occupy(running: Running, work: () => Promise<void>): void {
  const busy = work().finally(() => {
    if (running.busy === busy) running.isBusy = false
  })
  running.busy = busy
  running.isBusy = true
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
