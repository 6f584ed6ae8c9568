import { formatLabels, labelsFrom } from '../../protocol/labels/mod.ts'
import type { RuleGroup } from './rule-file.ts'

/** Rules of one name with the same labels, once each. Semantics: Prometheus cmd/promtool, checkDuplicates. */
export function duplicateRules(
  groups: readonly RuleGroup[],
): readonly { readonly name: string; readonly labels: string }[] {
  const seen = new Map<string, number>()
  const out: { name: string; labels: string }[] = []
  for (const { name, labels } of groups.flatMap(({ rules }) => rules)) {
    const shown = formatLabels(labelsFrom(labels))
    const key = `${name}${shown}`
    const count = (seen.get(key) ?? 0) + 1
    seen.set(key, count)
    if (count === 2) out.push({ name, labels: shown })
  }
  return out
}
