/**
 * What makes one page of the collectors' families: a page with a name or a series twice, or with a name that is none,
 * would be refused whole by whoever scrapes it. Files of the kernel hold such only when something is wrong with them.
 */
import type { Metric, MetricFamily } from '../../protocol/exposition/mod.ts'

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/

/** @throws Error for a value that is no number: its source held something else */
export function checkNumbers(families: readonly MetricFamily[]): void {
  for (const { name, metrics } of families)
    for (const { labels, value } of metrics)
      if (Number.isNaN(value)) throw new Error(`${name}{${labels.join(',')}}: its source holds no number`)
}

/**
 * Each name and each series once: samples of one family may come from two collectors, and a textfile may use any name.
 * Of families with another type the first counts; so it does of samples with the same labels.
 */
export function uniqueSeries(families: readonly MetricFamily[]): MetricFamily[] {
  const byName = new Map<string, MetricFamily>()
  for (const given of families) {
    const family = NAME.test(given.name) ? given : { ...given, name: escaped(given.name) }
    const { name, type, metrics } = family
    if (name === '') continue
    const known = byName.get(name)
    // Histograms and summaries are a textfile's, which was checked as a whole.
    const isPlain = type !== 'histogram' && type !== 'summary'
    if (!known) byName.set(name, isPlain && metrics.length > 1 ? withoutTwins(family, metrics) : family)
    else if (isPlain && known.type === type) byName.set(name, withoutTwins(known, [...known.metrics, ...metrics]))
  }
  return [...byName.values()]
}

/** As client_golang writes a name for a scraper that takes no UTF-8. */
const escaped = (name: string): string => name.replace(/[^a-zA-Z0-9_:]/gu, '_').replace(/^\d/, '_')

/** The family itself where there are none. */
function withoutTwins(family: MetricFamily, metrics: readonly Metric[]): MetricFamily {
  const seen = new Set<string>()
  for (const { labels } of metrics) seen.add(labels.join('\0'))
  if (seen.size === metrics.length) return metrics === family.metrics ? family : { ...family, metrics }
  seen.clear()
  const kept = metrics.filter(({ labels }) => {
    const key = labels.join('\0')
    return !seen.has(key) && seen.add(key)
  })
  return { ...family, metrics: kept }
}
