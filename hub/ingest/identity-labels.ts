/**
 * Labels that say whose sample it is, set by the hub on samples of remote agents: what an agent says of itself counts
 * for nothing. A label of the same name that came with the sample is kept as `exported_<name>`, as upstream does for
 * target labels. Semantics: Prometheus scrape/scrape.go, resolveConflictingExposedLabels.
 */
import { compareStrings, type Labels, labelsFromSorted } from '../../protocol/labels/mod.ts'

/** Sorted by name, as labels are. */
export type IdentityLabels = Labels

/** @returns the labels, and how many of the sample's own had to be renamed */
export function withIdentity(labels: Labels, identity: IdentityLabels): { labels: Labels; clashes: number } {
  if (identity.length === 0) return { labels, clashes: 0 }
  const pairs: [string, string][] = []
  const taken = new Set<string>()
  for (let i = 0; i < identity.length; i += 2) {
    pairs.push([identity[i]!, identity[i + 1]!])
    taken.add(identity[i]!)
  }
  const clashing: [string, string][] = []
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i]!
    if (taken.has(name)) clashing.push([name, labels[i + 1]!])
    else pairs.push([name, labels[i + 1]!])
  }
  const names = new Set(pairs.map(([name]) => name))
  for (const [name, value] of clashing) {
    let exported = `exported_${name}`
    while (names.has(exported)) exported = `exported_${exported}`
    names.add(exported)
    pairs.push([exported, value])
  }
  pairs.sort(([a], [b]) => compareStrings(a, b))
  return { labels: labelsFromSorted(pairs.flat()), clashes: clashing.length }
}
