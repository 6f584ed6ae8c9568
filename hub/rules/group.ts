/** One rule group: its rules in order, at its interval, at times that are the same after a restart. */
import type { Summary } from '../../protocol/exposition/mod.ts'
import {
  compareStrings,
  type Labels,
  labelsFrom,
  labelsKey,
  labelsToObject,
  METRIC_NAME,
} from '../../protocol/labels/mod.ts'
import {
  type ActiveAlert,
  type AlertContext,
  AlertingRule,
  type RuleSample,
  type StoredState,
  type VectorSample,
} from './alerting.ts'
import type { Rule, RuleGroup } from './rule-file.ts'

export type RuleHealth = 'ok' | 'err' | 'unknown'
export type RuleStatus = {
  readonly rule: Rule
  readonly health: RuleHealth
  readonly lastError: string
  readonly lastEvaluationMs: number
  readonly evaluationSeconds: number
  /** null for recording rules. */
  readonly alerting: AlertingRule | null
}

export type GroupEnv = {
  /** Instant query of a rule's expression; scalars come as one sample without labels. `lookbackMs`: not the usual one. */
  readonly query: (expr: string, timeMs: number, lookbackMs?: number) => Promise<readonly VectorSample[]>
  readonly append: (timeMs: number, samples: readonly RuleSample[]) => Promise<void>
  readonly notify: (alerts: readonly ActiveAlert[], expr: string) => void
  /** Of every evaluation that fails; its place in the group counts from 0. */
  readonly onFailure?: (group: RuleGroup, index: number, error: string) => void
  readonly monotonic: () => number
  readonly times?: RuleTimes
  readonly context: AlertContext
  readonly resendDelayMs: number
  readonly outageToleranceMs: number
  readonly forGracePeriodMs: number
}

export type GroupDefaults = {
  readonly intervalMs: number
  readonly queryOffsetMs: number
  /**
   * Alerts of rules with a `for` of so long or longer get back what they had waited before a restart; absent: none do.
   * Differs: the series of other rules are written from the first evaluation on, as they overwrite nothing that is needed.
   */
  readonly restoreForMs?: number | undefined
}

/** Upstream waits for the second one, as recording rules have told and targets have been scraped by then. */
const EVALUATIONS_BEFORE_RESTORE = 2

/** `iterations`: evaluations of the group that were due, the missed ones too. */
export type GroupCounters = { evaluations: number; failures: number; iterations: number; missed: number }

/** Of the evaluations of all groups, in seconds. */
export type RuleTimes = { readonly rule: Summary; readonly group: Summary }

export class Group {
  readonly definition: RuleGroup
  readonly intervalMs: number
  readonly queryOffsetMs: number
  readonly counters: GroupCounters = { evaluations: 0, failures: 0, iterations: 0, missed: 0 }
  lastEvaluationMs = 0
  lastDurationSeconds = 0
  /** What the rules of the last evaluation returned. */
  lastSamples = 0
  /** Of the evaluation under way. */
  #samples = 0
  /** Of the last evaluation that brought alerts back from before a restart. */
  lastRestoreSeconds = 0
  readonly #status: RuleStatus[]
  /** Series that each rule wrote last time: those that are missing now get a stale marker. */
  readonly #previous: Map<string, Labels>[]
  /** Of rules that are gone by a reload; ended at the next evaluation. */
  #orphans: Labels[] = []

  constructor(definition: RuleGroup, defaults: GroupDefaults) {
    this.definition = definition
    this.intervalMs = definition.intervalMs || defaults.intervalMs
    this.queryOffsetMs = definition.queryOffsetMs ?? defaults.queryOffsetMs
    this.#previous = definition.rules.map(() => new Map())
    const restoreForMs = defaults.restoreForMs ?? Number.POSITIVE_INFINITY
    this.#status = definition.rules.map((rule) => ({
      rule,
      health: 'unknown',
      lastError: '',
      lastEvaluationMs: 0,
      evaluationSeconds: 0,
      alerting: rule.kind === 'alert' ? new AlertingRule(rule, rule.forMs < restoreForMs) : null,
    }))
  }

  get key(): string {
    return `${this.definition.file};${this.definition.name}`
  }

  get status(): readonly RuleStatus[] {
    return this.#status
  }

  /** Of the last evaluation: of its rules, one by one. */
  get lastRuleSeconds(): number {
    return this.#status.reduce((sum, { evaluationSeconds }) => sum + evaluationSeconds, 0)
  }

  /** Takes the state of a group that this one replaces, rule by rule where name and labels are the same. Semantics: Group.CopyState. */
  takeOver(old: Group): void {
    const byRule = new Map<string, number[]>()
    old.#status.forEach(({ rule }, i) => {
      const key = identity(rule)
      byRule.set(key, [...(byRule.get(key) ?? []), i])
    })
    const taken = new Set<number>()
    this.#status.forEach((status, i) => {
      const from = byRule.get(identity(status.rule))?.shift()
      if (from === undefined) return
      taken.add(from)
      for (const [key, labels] of old.#previous[from]!) this.#previous[i]!.set(key, labels)
      const before = old.#status[from]!
      if (status.alerting && before.alerting)
        for (const [key, alert] of before.alerting.active) status.alerting.active.set(key, alert)
    })
    this.lastEvaluationMs = old.lastEvaluationMs
    this.#orphans = [
      ...old.#orphans,
      ...old.#previous.flatMap((series, i) => (taken.has(i) ? [] : [...series.values()])),
    ]
  }

  /** The samples that end everything the group has written, for when the group itself is gone. */
  staleMarkers(): RuleSample[] {
    return [...this.#orphans, ...this.#previous.flatMap((series) => [...series.values()])].map(end)
  }

  /** Whether its last evaluation wrote a sample of the series. */
  tells(labels: Labels): boolean {
    const key = labelsKey(labels)
    return this.#previous.some((series) => series.has(key))
  }

  /** Evaluates every rule in order at `timeMs`; a rule that fails is reported and does not stop the others. */
  async evaluate(timeMs: number, env: GroupEnv): Promise<void> {
    const start = env.monotonic()
    const queryTimeMs = timeMs - this.queryOffsetMs
    this.counters.iterations++
    this.#samples = 0
    for (let i = 0; i < this.#status.length; i++) await this.#evaluateRule(i, queryTimeMs, timeMs, env)
    if (this.#orphans.length > 0) {
      await env.append(queryTimeMs, this.#orphans.map(end))
      this.#orphans = []
    }
    this.lastSamples = this.#samples
    this.lastEvaluationMs = timeMs
    this.lastDurationSeconds = (env.monotonic() - start) / 1000
    env.times?.group.observe(this.lastDurationSeconds)
    if (this.counters.iterations - this.counters.missed === EVALUATIONS_BEFORE_RESTORE) await this.#restore(timeMs, env)
  }

  async #evaluateRule(index: number, queryTimeMs: number, timeMs: number, env: GroupEnv): Promise<void> {
    const start = env.monotonic()
    const { rule, alerting } = this.#status[index]!
    let error = ''
    this.counters.evaluations++
    try {
      const result = await env.query(rule.expr, queryTimeMs)
      const samples = alerting
        ? await alerting.evaluate(result, timeMs, env, this.definition.limit)
        : recordingSamples(rule, result, this.definition.limit)
      this.#samples += samples.length
      if (alerting) {
        const due = alerting.toSend(timeMs, env.resendDelayMs, this.intervalMs)
        if (due.length > 0) env.notify(due, rule.expr)
      }
      const now = new Map(samples.map(({ labels }) => [labelsKey(labels), labels]))
      const ended = [...this.#previous[index]!].filter(([key]) => !now.has(key)).map(([, labels]) => end(labels))
      await env.append(queryTimeMs, [...samples, ...ended])
      this.#previous[index] = now
    } catch (thrown) {
      error = thrown instanceof Error ? thrown.message : String(thrown)
      this.counters.failures++
      env.onFailure?.(this.definition, index, error)
    }
    const evaluationSeconds = (env.monotonic() - start) / 1000
    env.times?.rule.observe(evaluationSeconds)
    this.#status[index] = {
      ...this.#status[index]!,
      health: error === '' ? 'ok' : 'err',
      lastError: error,
      lastEvaluationMs: timeMs,
      evaluationSeconds,
    }
  }

  /** Of rules that wait for it; what cannot be asked for is told and given up, or its alerts would never be stored. */
  async #restore(timeMs: number, env: GroupEnv): Promise<void> {
    const start = env.monotonic()
    for (const [index, { alerting }] of this.#status.entries()) {
      if (alerting === null || alerting.isRestored) continue
      let states: readonly StoredState[] = []
      try {
        states = await storedStates(alerting.rule.name, timeMs, env)
      } catch (thrown) {
        env.onFailure?.(this.definition, index, `Cannot restore what alerts have waited: ${(thrown as Error).message}`)
      }
      alerting.restore(states, timeMs, env.forGracePeriodMs)
      this.lastRestoreSeconds = (env.monotonic() - start) / 1000
    }
  }
}

/** Of alerts that were active when the hub went down, which is no longer ago than the outage that is tolerated. */
async function storedStates(rule: string, timeMs: number, env: GroupEnv): Promise<StoredState[]> {
  const selector = `ALERTS_FOR_STATE{alertname=${JSON.stringify(rule)}}`
  const [values, times] = await Promise.all([
    env.query(selector, timeMs, env.outageToleranceMs),
    env.query(`timestamp(${selector})`, timeMs, env.outageToleranceMs),
  ])
  const writtenAt = new Map(times.map(({ labels, value }) => [labelsKey(withoutName(labels)), value * 1000]))
  return values.flatMap((state) => {
    const labels = withoutName(state.labels)
    const writtenAtMs = writtenAt.get(labelsKey(labels))
    return writtenAtMs === undefined ? [] : [{ labels, activeAtMs: state.value * 1000, writtenAtMs }]
  })
}

function withoutName(labels: Labels): Labels {
  const { [METRIC_NAME]: _, ...own } = labelsToObject(labels)
  return labelsFrom(own)
}

function recordingSamples(rule: Rule, result: readonly VectorSample[], limit: number): RuleSample[] {
  const seen = new Set<string>()
  const out = result.map(({ labels, ...sample }) => {
    const all = { ...labelsToObject(labels), ...rule.labels, [METRIC_NAME]: rule.name }
    const written = labelsFrom(all)
    const key = labelsKey(written)
    if (seen.has(key)) throw new Error('vector contains metrics with the same labelset after applying rule labels')
    seen.add(key)
    return { ...sample, labels: written, stale: false }
  })
  if (limit > 0 && out.length > limit) throw new Error(`exceeded limit of ${limit} with ${out.length} series`)
  return out
}

function end(labels: Labels): RuleSample {
  return { labels, value: Number.NaN, stale: true }
}

function identity(rule: Rule): string {
  return JSON.stringify([rule.kind, rule.name, Object.entries(rule.labels).sort(([a], [b]) => compareStrings(a, b))])
}
