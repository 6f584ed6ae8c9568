/**
 * Groups of an aggregation: which series go together, and the labels of what they become.
 * Semantics: Prometheus promql/engine.go, generateGroupingKey and generateGroupingLabels.
 */
import { EMPTY_LABELS, type Labels, METRIC_NAME } from '../../../../protocol/labels/mod.ts'
import type { AggregateExpr } from '../../ast.ts'
import type { QueryContext } from '../context.ts'
import { isStored, type Key, type Keyer, makeKeyer } from '../keys.ts'
import { deleteLabels, keepLabels, METADATA_LABELS } from '../labels.ts'
import type { Series } from '../types.ts'

export type Grouping = Pick<AggregateExpr, 'grouping' | 'without' | 'expr'>

export class GroupTable<Group> {
  readonly #ctx: QueryContext
  readonly #keyOf: Keyer
  readonly #names: ReadonlySet<string>
  readonly #without: boolean
  /** Its labels are the same with the metric's name and without, which would be an array more. */
  readonly #isNameless: boolean
  readonly #create: (labels: Labels, dropName: boolean) => Group
  readonly #groups = new Map<Key, Group>()

  constructor(ctx: QueryContext, by: Grouping, create: (labels: Labels, dropName: boolean) => Group) {
    this.#ctx = ctx
    this.#without = by.without
    this.#isNameless = !by.without && !by.grouping.some((name) => METADATA_LABELS.has(name))
    this.#names = new Set(by.without ? [...by.grouping, METRIC_NAME] : by.grouping)
    this.#keyOf = makeKeyer(ctx, { names: by.grouping, include: !by.without }, isStored(by.expr))
    this.#create = create
  }

  of(series: Series): Group {
    const key = this.#keyOf(series)
    let group = this.#groups.get(key)
    if (group === undefined) {
      group = this.#create(this.labelsFor(series), series.dropName)
      this.#groups.set(key, group)
    }
    return group
  }

  /** Undefined before its first series. */
  known(series: Series): Group | undefined {
    return this.#groups.get(this.#keyOf(series))
  }

  labelsFor(series: Series): Labels {
    if (!this.#without && this.#names.size === 0) return EMPTY_LABELS
    const isAsStored = this.#isNameless && series.labels === null && series.ref >= 0
    const labels = isAsStored ? this.#ctx.reader.labels(series.ref) : this.#ctx.labelsOf(series)
    return this.#without ? deleteLabels(labels, this.#names) : keepLabels(labels, this.#names)
  }

  values(): IterableIterator<Group> {
    return this.#groups.values()
  }
}
