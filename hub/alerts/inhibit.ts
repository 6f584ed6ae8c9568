/**
 * Which alerts are muted because others fire. Semantics: Alertmanager inhibit/inhibit.go (v0.34): every source of a
 * rule needs an alert that fires, and an alert that matches both sides of a rule is muted only by alerts that are not
 * targets of the rule themselves.
 */
import { type Labels, labelsKey, labelValue } from '../../protocol/labels/mod.ts'
import { type AlertMatcher, matchesAll } from './matchers/mod.ts'

export type InhibitSource = {
  readonly matchers: readonly AlertMatcher[]
  /** Labels that source and target have in common; one that both lack is equal. */
  readonly equal: readonly string[]
}
export type InhibitRule = {
  readonly name: string
  /** One or more. */
  readonly sources: readonly InhibitSource[]
  readonly target: readonly AlertMatcher[]
}

export type FiringAlert = { readonly labels: Labels; readonly endsAtMs: number }

/** Alerts of one source, by the values of its equal labels, then by labels. */
class SourceAlerts {
  readonly source: InhibitSource
  readonly #groups = new Map<string, Map<string, FiringAlert>>()

  constructor(source: InhibitSource) {
    this.source = source
  }

  matches(labels: Labels): boolean {
    return matchesAll(this.source.matchers, (name) => labelValue(labels, name))
  }

  add(alert: FiringAlert): void {
    const key = this.#key(alert.labels)
    const group = this.#groups.get(key) ?? new Map<string, FiringAlert>()
    group.set(labelsKey(alert.labels), alert)
    this.#groups.set(key, group)
  }

  /** One that fires and has the equal labels in common. */
  find(labels: Labels, nowMs: number, isAllowed: (alert: FiringAlert) => boolean): FiringAlert | null {
    for (const alert of this.#groups.get(this.#key(labels))?.values() ?? [])
      if (alert.endsAtMs > nowMs && isAllowed(alert)) return alert
    return null
  }

  sweep(nowMs: number): void {
    for (const [key, group] of this.#groups) {
      for (const [labels, { endsAtMs }] of group) if (endsAtMs <= nowMs) group.delete(labels)
      if (group.size === 0) this.#groups.delete(key)
    }
  }

  #key(labels: Labels): string {
    return this.source.equal.map((name) => labelValue(labels, name)).join('\xff')
  }
}

export class Inhibitor {
  readonly #rules: readonly { readonly target: readonly AlertMatcher[]; readonly sources: readonly SourceAlerts[] }[]

  constructor(rules: readonly InhibitRule[]) {
    this.#rules = rules.map(({ target, sources }) => ({
      target,
      sources: sources.map((each) => new SourceAlerts(each)),
    }))
  }

  /** An alert is new or has changed; one that is resolved has its end in the past. */
  observe(alert: FiringAlert): void {
    for (const { sources } of this.#rules)
      for (const source of sources) if (source.matches(alert.labels)) source.add(alert)
  }

  /** The alerts that mute one with these labels, one for each source of a rule; empty when it is not muted. */
  mutedBy(labels: Labels, nowMs: number): readonly FiringAlert[] {
    for (const { target, sources } of this.#rules) {
      const isTarget = (of: Labels): boolean => matchesAll(target, (name) => labelValue(of, name))
      if (!isTarget(labels)) continue
      const isSourceToo = sources.some((source) => source.matches(labels))
      const found = sources.map((source) =>
        source.find(labels, nowMs, (alert) => !(isSourceToo && isTarget(alert.labels))),
      )
      if (found.every((alert) => alert !== null)) return [...new Set(found)]
    }
    return []
  }

  /** Forgets what has ended. */
  sweep(nowMs: number): void {
    for (const { sources } of this.#rules) for (const source of sources) source.sweep(nowMs)
  }
}
