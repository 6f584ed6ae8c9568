/**
 * Which alerts are muted because others fire. Semantics: Alertmanager inhibit/inhibit.go (v0.34): an alert that matches
 * both sides of a rule is muted only by sources that are not targets of the rule themselves.
 */
import { type Labels, labelsKey, labelValue } from '../../protocol/labels/mod.ts'
import { type AlertMatcher, matchesAll } from './matchers/mod.ts'

export type InhibitRule = {
  readonly name: string
  readonly source: readonly AlertMatcher[]
  readonly target: readonly AlertMatcher[]
  /** Labels that source and target have in common; one that both lack is equal. */
  readonly equal: readonly string[]
}

export type FiringAlert = { readonly labels: Labels; readonly endsAtMs: number }

/** Firing alerts by rule and the values of its equal labels. */
export class Inhibitor {
  readonly #rules: readonly InhibitRule[]
  /** Per rule: value of the equal labels → alerts of the source side, by labels. */
  readonly #sources: Map<string, Map<string, FiringAlert>>[]

  constructor(rules: readonly InhibitRule[]) {
    this.#rules = rules
    this.#sources = rules.map(() => new Map())
  }

  /** An alert is new or has changed; one that is resolved has its end in the past. */
  observe(alert: FiringAlert): void {
    this.#rules.forEach((rule, i) => {
      if (!matchesAll(rule.source, (name) => labelValue(alert.labels, name))) return
      const key = equalKey(rule, alert.labels)
      const group = this.#sources[i]!.get(key) ?? new Map<string, FiringAlert>()
      group.set(labelsKey(alert.labels), alert)
      this.#sources[i]!.set(key, group)
    })
  }

  /** The alerts that mute one with these labels; empty when it is not muted. */
  mutedBy(labels: Labels, nowMs: number): readonly FiringAlert[] {
    for (let i = 0; i < this.#rules.length; i++) {
      const rule = this.#rules[i]!
      const value = (name: string): string => labelValue(labels, name)
      if (!matchesAll(rule.target, value)) continue
      const isSourceToo = matchesAll(rule.source, value)
      const group = this.#sources[i]!.get(equalKey(rule, labels))
      for (const source of group?.values() ?? []) {
        if (source.endsAtMs <= nowMs) continue
        const isTargetToo = matchesAll(rule.target, (name) => labelValue(source.labels, name))
        if (!(isSourceToo && isTargetToo)) return [source]
      }
    }
    return []
  }

  /** Forgets what has ended. */
  sweep(nowMs: number): void {
    for (const groups of this.#sources)
      for (const [key, group] of groups) {
        for (const [labels, { endsAtMs }] of group) if (endsAtMs <= nowMs) group.delete(labels)
        if (group.size === 0) groups.delete(key)
      }
  }
}

function equalKey({ equal }: InhibitRule, labels: Labels): string {
  return equal.map((name) => labelValue(labels, name)).join('\xff')
}
