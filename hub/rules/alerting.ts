/**
 * One alerting rule: which of its alerts are pending, firing or resolved, and the series that tell it (`ALERTS`,
 * `ALERTS_FOR_STATE`). Semantics: Prometheus rules/alerting.go (v3.14).
 */
import { type Labels, labelsFrom, labelsKey, labelsToObject, METRIC_NAME } from '../../protocol/labels/mod.ts'
import type { Histogram } from '../../protocol/samples/mod.ts'
import type { Rule } from './rule-file.ts'
import { alertExpander, type TemplateQuery } from './template.ts'

/** `histogram` stands in place of the value. */
export type VectorSample = { readonly labels: Labels; readonly value: number; readonly histogram?: Histogram }
/** What a rule writes; `stale` ends a series. */
export type RuleSample = VectorSample & { readonly stale: boolean }

export type AlertState = 'pending' | 'firing' | 'inactive'
export type ActiveAlert = {
  readonly labels: Labels
  readonly annotations: Readonly<Record<string, string>>
  readonly state: AlertState
  readonly value: number
  readonly activeAtMs: number
  readonly firedAtMs: number
  /** 0 = not resolved. */
  readonly resolvedAtMs: number
  readonly keepFiringSinceMs: number
  readonly lastSentAtMs: number
  readonly validUntilMs: number
}

/** What the templates of alerts may ask for. */
export type AlertEnv = {
  readonly context: AlertContext
  readonly query: (expr: string, timeMs: number) => ReturnType<TemplateQuery>
}
export type AlertContext = { readonly externalLabels: Labels; readonly externalUrl: string }

/** The newest that is stored of an alert's `ALERTS_FOR_STATE` from before a restart. */
export type StoredState = { readonly labels: Labels; readonly activeAtMs: number; readonly writtenAtMs: number }

/** Resolved alerts are kept so long, so that a receiver that missed the notice gets it again. */
const RESOLVED_RETENTION_MS = 15 * 60_000

export class AlertingRule {
  readonly rule: Rule
  readonly active = new Map<string, ActiveAlert>()
  #restored: boolean

  /** @param restored false: until `restore()` nothing is stored, for that would hide what is to be restored */
  constructor(rule: Rule, restored = true) {
    this.rule = rule
    this.#restored = restored
  }

  get state(): AlertState {
    let out: AlertState = 'inactive'
    for (const { state } of this.active.values()) {
      if (state === 'firing') return 'firing'
      if (state === 'pending') out = 'pending'
    }
    return out
  }

  get isRestored(): boolean {
    return this.#restored
  }

  /**
   * Takes the rule's result for the evaluation of `timeMs` and gives the samples to store (without stale markers).
   * @throws Error when two results end with the same labels
   */
  async evaluate(result: readonly VectorSample[], timeMs: number, env: AlertEnv, limit: number): Promise<RuleSample[]> {
    const seen = new Map<string, ActiveAlert>()
    for (const sample of result) {
      const alert = await this.#alertFor(sample, timeMs, env)
      const key = labelsKey(alert.labels)
      if (seen.has(key)) throw new Error('vector contains metrics with the same labelset after applying alert labels')
      seen.set(key, alert)
    }
    for (const [key, alert] of seen) {
      const known = this.active.get(key)
      if (known && known.state !== 'inactive') {
        this.active.set(key, { ...known, value: alert.value, annotations: alert.annotations, keepFiringSinceMs: 0 })
      } else this.active.set(key, alert)
    }
    let count = 0
    for (const [key, alert] of this.active) {
      const next = this.#advance(alert, seen.has(key), timeMs)
      if (next === null) this.active.delete(key)
      else {
        this.active.set(key, next)
        if (next.state !== 'inactive') count++
      }
    }
    if (limit > 0 && count > limit) {
      this.active.clear()
      throw new Error(`exceeded limit of ${limit} with ${count} alerts`)
    }
    if (!this.#restored) return []
    return [...this.active.values()]
      .filter(({ state }) => state !== 'inactive')
      .flatMap((alert) => this.#samples(alert))
  }

  /** Alerts to tell the notifier about, marked as sent. Semantics: sendAlerts, needsSending. */
  toSend(timeMs: number, resendDelayMs: number, intervalMs: number): ActiveAlert[] {
    const out: ActiveAlert[] = []
    for (const [key, alert] of this.active) {
      if (alert.state === 'pending') continue
      const due = alert.resolvedAtMs > alert.lastSentAtMs || alert.lastSentAtMs + resendDelayMs < timeMs
      if (!due) continue
      // Four missed evaluations and the receiver takes it for resolved.
      const sent = { ...alert, lastSentAtMs: timeMs, validUntilMs: timeMs + 4 * Math.max(intervalMs, resendDelayMs) }
      this.active.set(key, sent)
      out.push(sent)
    }
    return out
  }

  /**
   * Gives alerts the time that they had waited before a restart; the time when nobody looked does not count. What would
   * fire within `forGraceMs` gets so long, for the rule to see whether it is over. Semantics: Group.RestoreForState.
   */
  restore(states: readonly StoredState[], timeMs: number, forGraceMs: number): void {
    const byLabels = new Map(states.map((state) => [labelsKey(state.labels), state]))
    for (const [key, alert] of this.active) {
      const stored = byLabels.get(labelsKey(labelsFrom(this.#told(alert))))
      if (stored === undefined) continue
      const leftMs = this.rule.forMs - (stored.writtenAtMs - stored.activeAtMs)
      let { activeAtMs } = stored
      if (leftMs > 0) {
        if (leftMs < forGraceMs) activeAtMs = timeMs + forGraceMs - this.rule.forMs
        else activeAtMs += timeMs - stored.writtenAtMs
      }
      this.active.set(key, { ...alert, activeAtMs })
    }
    this.#restored = true
  }

  async #alertFor(sample: VectorSample, timeMs: number, { context, query }: AlertEnv): Promise<ActiveAlert> {
    const { labels, value, histogram } = sample
    const expand = alertExpander(
      this.rule.name,
      {
        labels,
        value: histogram ?? value,
        externalLabels: context.externalLabels,
        externalUrl: context.externalUrl,
      },
      { nowMs: timeMs, query: (expr) => query(expr, timeMs) },
    )
    const out = labelsToObject(labels)
    delete out[METRIC_NAME]
    for (const [name, text] of Object.entries(this.rule.labels)) out[name] = await expand(text)
    out['alertname'] = this.rule.name
    const annotations: Record<string, string> = {}
    for (const [name, text] of Object.entries(this.rule.annotations)) annotations[name] = await expand(text)
    return {
      labels: labelsFrom(out),
      annotations,
      state: 'pending',
      value: histogram ? 0 : value,
      activeAtMs: timeMs,
      firedAtMs: 0,
      resolvedAtMs: 0,
      keepFiringSinceMs: 0,
      lastSentAtMs: Number.NEGATIVE_INFINITY,
      validUntilMs: 0,
    }
  }

  #advance(alert: ActiveAlert, present: boolean, timeMs: number): ActiveAlert | null {
    const { forMs, keepFiringForMs } = this.rule
    if (!present) {
      if (alert.state === 'firing' && keepFiringForMs > 0) {
        const since = alert.keepFiringSinceMs || timeMs
        if (timeMs - since < keepFiringForMs) return this.#heldBack({ ...alert, keepFiringSinceMs: since }, timeMs)
      }
      if (alert.state === 'pending') return null
      if (alert.resolvedAtMs !== 0 && timeMs - alert.resolvedAtMs > RESOLVED_RETENTION_MS) return null
      if (alert.state === 'inactive') return alert
      return { ...alert, state: 'inactive', resolvedAtMs: timeMs }
    }
    if (alert.state === 'pending' && timeMs - alert.activeAtMs >= forMs)
      return { ...alert, state: 'firing', firedAtMs: timeMs }
    return this.#heldBack(alert, timeMs)
  }

  /** One that fires is pending again where a reload has made the rule wait longer than it has lasted. */
  #heldBack(alert: ActiveAlert, timeMs: number): ActiveAlert {
    if (alert.state !== 'firing' || timeMs - alert.activeAtMs >= this.rule.forMs) return alert
    return { ...alert, state: 'pending', firedAtMs: 0, keepFiringSinceMs: 0, lastSentAtMs: Number.NEGATIVE_INFINITY }
  }

  /**
   * Of the series that tell the alert: a label whose template gives nothing is on them as it is written.
   * Semantics: AlertingRule.sample and forStateSample.
   */
  #told(alert: ActiveAlert): Readonly<Record<string, string>> {
    return { ...this.rule.labels, ...labelsToObject(alert.labels) }
  }

  #samples(alert: ActiveAlert): RuleSample[] {
    const own = this.#told(alert)
    return [
      { labels: labelsFrom({ ...own, [METRIC_NAME]: 'ALERTS', alertstate: alert.state }), value: 1, stale: false },
      {
        labels: labelsFrom({ ...own, [METRIC_NAME]: 'ALERTS_FOR_STATE' }),
        value: Math.floor(alert.activeAtMs / 1000),
        stale: false,
      },
    ]
  }
}
