/**
 * Arithmetic and comparison between two vectors. Series are matched once by signature; then columns are combined.
 * After a swap for `group_right`, "many" is the side whose labels the result keeps and "one" the side that must be
 * unique per signature. Semantics: Prometheus promql/engine.go, VectorBinop and resultMetric (v3.14).
 */
import { formatLabels, type Labels, labelsKey, labelValue, METRIC_NAME } from '../../../../protocol/labels/mod.ts'
import type { BinaryExpr, VectorMatching } from '../../ast.ts'
import { columnSamples, type QueryContext } from '../context.ts'
import { isStored, type Key, keptSide, makeKeyer } from '../keys.ts'
import { deleteLabels, dropMetricName, keepLabels, setLabel } from '../labels.ts'
import { anyPresent, type Emit, FLOAT, type Frame, HISTOGRAM, NONE, newSeries, type Series } from '../types.ts'
import { collectVector } from '../vector.ts'
import { FailureRank, FirstFailure } from './first-failure.ts'
import { histogramBinary } from './histogram-operators.ts'
import { LastNotes } from './last-notes.ts'
import { ARITHMETIC, COMPARISON } from './operators.ts'
import { streamSetOperator } from './set.ts'

const ONE_TO_ONE: VectorMatching = {
  card: 'one-to-one',
  labels: [],
  on: false,
  include: [],
  fillLeft: null,
  fillRight: null,
}

const MANY_TO_ONE = 'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)'
const NOT_UNIQUE = 'multiple matches for labels: grouping labels must ensure unique matches'
const SAME_LABELSET = 'vector cannot contain metrics with the same labelset'

export function streamVectorVector(ctx: QueryContext, expr: BinaryExpr, frame: Frame, emit: Emit): void {
  if (expr.op === 'and' || expr.op === 'or' || expr.op === 'unless') {
    streamSetOperator(ctx, expr, frame, emit)
    return
  }
  const heldBefore = ctx.held
  const outputs = new Join(ctx, expr, frame).run()
  ctx.held = heldBefore
  for (const series of outputs) {
    if (!anyPresent(series.present)) continue
    ctx.hold(columnSamples(series))
    emit(series)
  }
}

/** The series of the "one" side with one signature. */
type OneGroup = {
  readonly series: Series[]
  /** Which of them holds a sample at each step, -1 for none; null while there is a single one. */
  owner: Int32Array | null
  /** Steps at which a series of the many side met this group (one-to-one), or met it at all (for fills). */
  matched: Uint8Array | null
  /** The first whole column that was matched, without a look at clashes: the next one must look for them. */
  first: Output | null
}

/**
 * A result series; `touched` marks steps that a match wrote or filtered away, by the group it came from. Null: those
 * where it has a value.
 */
type Output = { readonly series: Series; touched: Uint8Array | null; readonly group: Key }

class Join {
  readonly #ctx: QueryContext
  readonly #expr: BinaryExpr
  readonly #matching: VectorMatching
  readonly #steps: number
  readonly #swapped: boolean
  readonly #many: Series[]
  readonly #one: Series[]
  readonly #keyOf: (series: Series) => Key
  readonly #groups = new Map<Key, OneGroup>()
  readonly #outputs = new Map<string | number, Output>()
  /** Results are the series of the many side without their names, which no two have in common. */
  readonly #keepsMany: boolean
  readonly #matchNames: ReadonlySet<string>
  readonly #hasFills: boolean
  readonly #notes = new LastNotes()
  readonly #failures = new FirstFailure()

  constructor(ctx: QueryContext, expr: BinaryExpr, frame: Frame) {
    this.#ctx = ctx
    this.#expr = expr
    this.#matching = expr.matching ?? ONE_TO_ONE
    this.#steps = frame.steps
    this.#swapped = this.#matching.card === 'one-to-many'
    const { labels, on, fillLeft, fillRight } = this.#matching
    this.#hasFills = fillLeft !== null || fillRight !== null
    this.#matchNames = new Set(on ? labels : [...labels, METRIC_NAME])
    this.#keyOf = makeKeyer(ctx, { names: labels, include: on }, isStored(expr.lhs) && isStored(expr.rhs))
    this.#keepsMany = keptSide(expr) !== null
    const lhs = collectVector(ctx, expr.lhs, frame)
    const rhs = collectVector(ctx, expr.rhs, frame)
    this.#many = this.#swapped ? rhs : lhs
    this.#one = this.#swapped ? lhs : rhs
  }

  run(): Series[] {
    const { fillLeft, fillRight } = this.#matching
    const fillOne = this.#swapped ? fillLeft : fillRight
    const fillMany = this.#swapped ? fillRight : fillLeft
    const live = this.#hasFills ? null : this.#stepsWithMany()
    this.#groupOne(live)
    const filler = fillOne === null ? null : newSeries(this.#steps, -1, null)
    if (filler !== null) {
      filler.values.fill(fillOne!)
      filler.present.fill(FLOAT)
    }
    for (const series of this.#many) {
      this.#ctx.poll()
      this.#matchSeries(series, filler)
    }
    if (fillMany !== null) this.#fillMissing(fillMany)
    this.#failures.raise()
    this.#notes.tell(this.#ctx)
    return [...this.#outputs.values()].map((output) => output.series)
  }

  /** Steps at which the many side is not empty: at others duplicates on the one side do no harm. */
  #stepsWithMany(): Uint8Array {
    const live = new Uint8Array(this.#steps)
    for (const { present } of this.#many) for (let i = 0; i < live.length; i++) live[i]! |= present[i]!
    return live
  }

  #groupOne(live: Uint8Array | null): void {
    for (const series of this.#one) {
      const key = this.#keyOf(series)
      const group = this.#groups.get(key)
      if (group === undefined) this.#groups.set(key, { series: [series], owner: null, matched: null, first: null })
      else this.#addToGroup(group, series, live)
    }
  }

  #addToGroup(group: OneGroup, series: Series, live: Uint8Array | null): void {
    if (group.owner === null) {
      group.owner = new Int32Array(this.#steps).fill(-1)
      for (let i = 0; i < this.#steps; i++) if (group.series[0]!.present[i] !== NONE) group.owner[i] = 0
    }
    const index = group.series.push(series) - 1
    for (let i = 0; i < this.#steps; i++) {
      if (series.present[i] === NONE) continue
      const owner = group.owner[i]!
      if (owner >= 0 && (live === null || live[i] !== NONE)) {
        const other = group.series[owner]!
        this.#failures.note(i, FailureRank.duplicates, () => this.#duplicates(series, other))
      }
      group.owner[i] = index
    }
  }

  #duplicates(series: Series, other: Series): string {
    const labels = this.#ctx.labelsOf(series)
    const side = this.#swapped ? 'left' : 'right'
    return (
      `found duplicate series for the match group ${formatLabels(this.#matchLabels(labels))} on the ${side} ` +
      `hand-side of the operation: [${formatLabels(labels)}, ${formatLabels(this.#ctx.labelsOf(other))}]` +
      ';many-to-many matching not allowed: matching labels must be unique on one side'
    )
  }

  /** The labels that matching looks at. */
  #matchLabels(labels: Labels): Labels {
    return this.#matching.on ? keepLabels(labels, this.#matchNames) : deleteLabels(labels, this.#matchNames)
  }

  #matchSeries(series: Series, filler: Series | null): void {
    const key = this.#keyOf(series)
    let group = this.#groups.get(key)
    if (group === undefined) {
      if (filler === null) return
      group = { series: [], owner: null, matched: null, first: null }
      this.#groups.set(key, group)
    }
    const partners = group.series.length
    if (filler === null && this.#combineInPlace(key, series, group)) return
    for (let index = 0; index < partners; index++) {
      const partner = group.series[index]!
      const output = this.#output(key, series, this.#ctx.labelsOf(partner))
      this.#combine(series, partner, output, group, (i) =>
        group.owner === null ? partner.present[i] !== NONE : group.owner[i] === index,
      )
    }
    if (filler === null) return
    const output = this.#output(key, series, this.#matchLabels(this.#ctx.labelsOf(series)))
    this.#combine(series, filler, output, group, (i) =>
      group.owner === null ? partners === 0 || group.series[0]!.present[i] === NONE : group.owner[i]! < 0,
    )
  }

  /** The groups of the one side that nothing matched, against a fill value in place of the many side. */
  #fillMissing(fill: number): void {
    const filler = newSeries(this.#steps, -1, null)
    filler.values.fill(fill)
    filler.present.fill(FLOAT)
    for (const [key, group] of this.#groups) {
      const matched = matchedSteps(group)?.slice()
      for (const partner of group.series) {
        const labels = this.#ctx.labelsOf(partner)
        filler.labels = this.#matchLabels(labels)
        const output = this.#output(key, filler, labels)
        this.#combine(filler, partner, output, group, (i) => partner.present[i] !== NONE && matched?.[i] !== 1)
      }
    }
  }

  #output(key: Key, many: Series, oneLabels: Labels): Output {
    const labels = this.#keepsMany ? null : this.#resultLabels(this.#ctx.labelsOf(many), oneLabels)
    const id = labels === null ? many.ref : labelsKey(labels)
    let output = this.#outputs.get(id)
    if (output === undefined) {
      const series = newSeries(this.#steps, labels === null ? many.ref : -1, labels)
      series.nameless = labels === null
      // What is compared forgets that its name was to go.
      series.dropName = COMPARISON[this.#expr.op] !== undefined && this.#expr.returnBool
      output = { series, touched: new Uint8Array(this.#steps), group: key }
      this.#outputs.set(id, output)
    }
    return output
  }

  /**
   * Arithmetic of floats whose match and result are still untouched, so that nothing can clash: the result takes the
   * place of the many side's column, which nobody else has. False: nothing was done.
   */
  #combineInPlace(key: Key, many: Series, group: OneGroup): boolean {
    const operator = ARITHMETIC[this.#expr.op]
    const one = group.series[0]
    if (operator === undefined || one === undefined || group.series.length > 1) return false
    if (many.histograms !== null || one.histograms !== null) return false
    // Without fills nobody asks what else of the many side has met the group.
    const isFree = this.#matching.card !== 'one-to-one' && !this.#hasFills
    if (!isFree && (group.first !== null || group.matched !== null)) return false
    const labels = this.#keepsMany ? null : this.#resultLabels(this.#ctx.labelsOf(many), this.#ctx.labelsOf(one))
    const id = labels === null ? many.ref : labelsKey(labels)
    if (this.#outputs.has(id)) return false
    combineFloats(operator, many, one, this.#swapped)
    const ref = labels === null ? many.ref : -1
    const series = { ...many, ref, labels, nameless: labels === null, dropName: false }
    const output = { series, touched: null, group: key }
    group.first ??= output
    this.#outputs.set(id, output)
    return true
  }

  #resultLabels(many: Labels, one: Labels): Labels {
    const { card, on, include } = this.#matching
    const { op, returnBool } = this.#expr
    const dropNow = returnBool && !this.#ctx.options.delayedNameRemoval
    let labels = dropNow || ARITHMETIC[op] !== undefined ? dropMetricName(many) : many
    if (card === 'one-to-one') {
      const names = new Set(this.#matching.labels)
      labels = on ? keepLabels(labels, names) : deleteLabels(labels, names)
    }
    for (const name of include) labels = setLabel(labels, name, labelValue(one, name))
    return labels
  }

  #combine(many: Series, one: Series, output: Output, group: OneGroup, meets: (step: number) => boolean): void {
    const { returnBool } = this.#expr
    const oneToOne = this.#matching.card === 'one-to-one'
    const matched = (group.matched ??= matchedSteps(group)?.slice() ?? new Uint8Array(this.#steps))
    const touched = (output.touched ??= output.series.present.slice())
    const { series: out } = output
    for (let i = 0; i < this.#steps; i++) {
      if (many.present[i] === NONE || !meets(i)) continue
      const value = this.#element(many, one, i)
      if (value === null) continue
      if (oneToOne && matched[i] === 1) {
        this.#failures.note(i, FailureRank.matches, () => MANY_TO_ONE)
      } else if (touched[i] === 1) this.#noteTouched(i, output, many)
      matched[i] = 1
      touched[i] = 1
      if (returnBool) {
        out.values[i] = value.keep ? 1 : 0
        out.present[i] = FLOAT
      } else if (value.keep) {
        if (value.histogram !== null) {
          out.histograms ??= new Array(this.#steps)
          out.histograms[i] = value.histogram
          out.present[i] = HISTOGRAM
        } else {
          out.values[i] = value.float
          out.present[i] = FLOAT
        }
      }
    }
  }

  #noteTouched(step: number, output: Output, many: Series): void {
    const isMatch = (many.ref >= 0 || many.labels !== null) && this.#keyOf(many) === output.group
    if (isMatch) this.#failures.note(step, FailureRank.matches, () => NOT_UNIQUE)
    else this.#failures.note(step, FailureRank.results, () => SAME_LABELSET)
  }

  readonly #result: ElementResult = { float: 0, histogram: null, keep: true }

  /** One element in the order of the text; null when the types do not go together. */
  #element(many: Series, one: Series, i: number): ElementResult | null {
    const { op, pos } = this.#expr
    const left = this.#swapped ? one : many
    const right = this.#swapped ? many : one
    const result = this.#result
    const arithmetic = ARITHMETIC[op]
    const compare = COMPARISON[op]
    if (left.present[i] === FLOAT && right.present[i] === FLOAT && (arithmetic ?? compare) !== undefined) {
      const a = left.values[i]!
      const b = right.values[i]!
      result.histogram = null
      result.float = arithmetic === undefined ? a : arithmetic(a, b)
      result.keep = compare === undefined || compare(a, b)
      return result
    }
    this.#notes.step = i
    const outcome = histogramBinary(this.#notes, op, operandAt(left, i), operandAt(right, i), pos)
    if (outcome === null) return null
    result.histogram = outcome.value
    result.keep = outcome.keep
    return result
  }
}

function matchedSteps({ first, matched }: OneGroup): Uint8Array | undefined {
  return matched ?? first?.series.present
}

/** Into the many side. Hot: bench/hub/engine.bench.ts */
function combineFloats(operator: (a: number, b: number) => number, many: Series, one: Series, swapped: boolean): void {
  const left = swapped ? one.values : many.values
  const right = swapped ? many.values : one.values
  const { values, present } = many
  const { present: other } = one
  for (let i = 0; i < present.length; i++) {
    if (present[i] !== FLOAT || other[i] !== FLOAT) present[i] = NONE
    else values[i] = operator(left[i]!, right[i]!)
  }
}

type ElementResult = { float: number; histogram: ReturnType<typeof histogramOf> | null; keep: boolean }

function histogramOf(series: Series, i: number) {
  return series.histograms![i]!
}

function operandAt(series: Series, i: number) {
  return series.present[i] === FLOAT ? series.values[i]! : histogramOf(series, i)
}
