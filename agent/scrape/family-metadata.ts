/** What a page says of a family, as a series of it carries it on. */
import { type Labels, labelValue, METRIC_NAME } from '../../protocol/labels/mod.ts'
import { familyOf, type Metadata } from '../../protocol/samples/mod.ts'

/**
 * Semantics: Prometheus scrape/scrape.go, metadata cache: families stand under the name of their meta lines, whatever the
 * names of their series, also after relabelling (v3.14).
 * @param known undefined: the page says nothing
 * @param family as its meta lines name it
 */
export function metadataOf(known: Metadata | undefined, family: string, labels: Labels): Metadata | null {
  if (known === undefined) return null
  const { type, help, unit } = known
  const isTold = familyOf(labelValue(labels, METRIC_NAME), type) === family
  return isTold ? { type, help, unit } : { type, help, unit, family }
}
