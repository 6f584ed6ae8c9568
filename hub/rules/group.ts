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
import { type ActiveAlert, type AlertContext, AlertingRule, type RuleSample, type VectorSample } from './alerting.ts'
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
  /** Instant query of a rule's expression; scalars come as one sample without labels. */
  readonly query: (expr: string, timeMs: number) => Promise<readonly VectorSample[]>
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
  /** Of this evaluation; -1: it has restored nothing. */
  #restoreMs = -1

  constructor(definition: RuleGroup, defaults: { readonly intervalMs: number; readonly queryOffsetMs: number }) {
    this.definition = definition
    this.intervalMs = definition.intervalMs || defaults.intervalMs
    this.queryOffsetMs = definition.queryOffsetMs ?? defaults.queryOffsetMs
    this.#previous = definition.rules.map(() => new Map())
    this.#status = definition.rules.map((rule) => ({
      rule,
      health: 'unknown',
      lastError: '',
      lastEvaluationMs: 0,
      evaluationSeconds: 0,
      alerting: rule.kind === 'alert' ? new AlertingRule(rule) : null,
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

  /** Evaluates every rule in order at `timeMs`; a rule that fails is reported and does not stop the others. */
  async evaluate(timeMs: number, env: GroupEnv): Promise<void> {
    const start = env.monotonic()
    const queryTimeMs = timeMs - this.queryOffsetMs
    this.counters.iterations++
    this.#restoreMs = -1
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
    if (this.#restoreMs >= 0) this.lastRestoreSeconds = this.#restoreMs / 1000
  }

  async #evaluateRule(index: number, queryTimeMs: number, timeMs: number, env: GroupEnv): Promise<void> {
    const start = env.monotonic()
    const { rule, alerting } = this.#status[index]!
    let error = ''
    this.counters.evaluations++
    try {
      const result = await env.query(rule.expr, queryTimeMs)
      const samples = alerting
        ? await alerting.evaluate(result, queryTimeMs, env, this.definition.limit)
        : recordingSamples(rule, result, this.definition.limit)
      this.#samples += samples.length
      if (alerting?.needsRestore) await this.#restore(alerting, queryTimeMs, env)
      const now = new Map(samples.map(({ labels }) => [labelsKey(labels), labels]))
      const ended = [...this.#previous[index]!].filter(([key]) => !now.has(key)).map(([, labels]) => end(labels))
      await env.append(queryTimeMs, [...samples, ...ended])
      this.#previous[index] = now
      if (alerting) {
        const due = alerting.toSend(queryTimeMs, env.resendDelayMs, this.intervalMs)
        if (due.length > 0) env.notify(due, rule.expr)
      }
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

  async #restore(alerting: AlertingRule, timeMs: number, env: GroupEnv): Promise<void> {
    const start = env.monotonic()
    const name = JSON.stringify(alerting.rule.name)
    const seconds = Math.max(1, Math.floor(env.outageToleranceMs / 1000))
    const states = await env.query(`last_over_time(ALERTS_FOR_STATE{alertname=${name}}[${seconds}s])`, timeMs - 1)
    alerting.restore(states, timeMs, env.outageToleranceMs, env.forGracePeriodMs)
    this.#restoreMs = Math.max(0, this.#restoreMs) + env.monotonic() - start
  }
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
