/**
 * info(): data labels of info metrics (target_info by default) joined to series by their identifying labels.
 * Semantics: Prometheus promql/info.go (v3.14); the newest info sample counts where several match.
 */
import { formatLabels, type Labels, labelsKey, labelValue, METRIC_NAME } from '../../../../protocol/labels/mod.ts'
import { compileMatcher, type Matcher } from '../../../../protocol/matchers/mod.ts'
import type { Call, Expr, VectorSelector } from '../../ast.ts'
import { QueryError } from '../../contract.ts'
import { unwrap } from '../../parser/mod.ts'
import type { QueryContext } from '../context.ts'
import { setLabel } from '../labels.ts'
import { streamSelector } from '../selector.ts'
import { type Emit, type Frame, HISTOGRAM, NONE, newSeries, type Series } from '../types.ts'
import { collectVector } from '../vector.ts'

const IDENTIFYING = ['instance', 'job'] as const
const TARGET_INFO: Matcher = { name: METRIC_NAME, op: '=', value: 'target_info' }

/** An info series: `values` of its column are the sample's own times. */
type Info = { readonly series: Series; readonly labels: Labels; readonly signature: string }

export function streamInfo(ctx: QueryContext, call: Call, frame: Frame, emit: Emit): void {
  const base = collectVector(ctx, call.args[0]!, frame)
  const selector = call.args.length > 1 ? unwrap(call.args[1]!) : null
  const matchers = selector?.kind === 'vector-selector' ? selector.matchers : []
  const dataMatchers = matchers.filter(({ name }) => name !== METRIC_NAME)
  const named = namesOf(matchers)
  const nameMatchers = selector === null ? [TARGET_INFO] : named
  const nameTests = nameMatchers.map(compileMatcher)
  // Info series themselves are not enriched.
  const ignored = (labels: Labels) =>
    nameTests.length > 0 && nameTests.every((matches) => matches(labelValue(labels, METRIC_NAME)))
  const plain = base.map((series) => ({ series, labels: ctx.labelsOf(series) }))
  const enriched = plain.filter(({ labels }) => !ignored(labels))
  const infos = fetchInfo(ctx, frame, enriched, named, dataMatchers, shiftOf(call.args[0]!, NO_SHIFT) ?? NO_SHIFT)
  const join = new InfoJoin(infos, dataMatchers, frame)
  for (const { series, labels } of plain) {
    ctx.poll()
    if (ignored(labels)) emit(series)
    else join.enrich(series, labels)
  }
  for (const series of join.outputs()) emit(series)
}

/** The matchers of the info metric's name. Those that only exclude names choose among the *_info metrics. */
function namesOf(matchers: readonly Matcher[]): Matcher[] {
  const named = matchers.filter(({ name }) => name === METRIC_NAME)
  const chooses = named.some(({ op }) => op === '=' || op === '=~')
  return named.length > 0 && !chooses ? [...named, { name: METRIC_NAME, op: '=~', value: '.+_info' }] : named
}

type TimeShift = Pick<VectorSelector, 'at' | 'offset'>
const NO_SHIFT: TimeShift = { at: null, offset: { offsetMs: 0, expr: null } }

/** The time that the first selector in the expression looks at: info series are taken as of the same time. */
function shiftOf(expr: Expr, outer: TimeShift): TimeShift | null {
  switch (expr.kind) {
    case 'vector-selector':
      return compose(outer, expr)
    case 'matrix-selector':
      return compose(outer, expr.selector)
    case 'subquery':
      return shiftOf(expr.expr, compose(outer, expr))
    case 'paren':
    case 'unary':
    case 'aggregate':
      return shiftOf(expr.expr, outer)
    case 'binary':
      return shiftOf(expr.lhs, outer) ?? shiftOf(expr.rhs, outer)
    case 'call':
      for (const arg of expr.args) {
        const found = shiftOf(arg, outer)
        if (found !== null) return found
      }
      return null
    default:
      return null
  }
}

/** `@` starts anew, offsets add up. */
function compose(outer: TimeShift, inner: TimeShift): TimeShift {
  if (inner.at !== null) return inner
  return { at: outer.at, offset: { offsetMs: outer.offset.offsetMs + inner.offset.offsetMs, expr: null } }
}

function fetchInfo(
  ctx: QueryContext,
  frame: Frame,
  base: readonly { readonly labels: Labels }[],
  named: readonly Matcher[],
  dataMatchers: readonly Matcher[],
  shift: TimeShift,
): Info[] {
  const matchers: Matcher[] = [...(named.length > 0 ? named : [TARGET_INFO]), ...dataMatchers]
  let identifying = 0
  for (const name of IDENTIFYING) {
    const values = new Set(base.map(({ labels }) => labelValue(labels, name)).filter((value) => value !== ''))
    if (values.size === 0) continue
    identifying++
    matchers.push({ name, op: '=~', value: [...values].map(escapeRegex).join('|') })
  }
  if (identifying === 0) return []
  const selector: VectorSelector = {
    kind: 'vector-selector',
    name: '',
    matchers,
    offset: shift.offset,
    at: shift.at,
    anchored: false,
    smoothed: false,
    pos: { start: 0, end: 0 },
  }
  const values = new Map<number, Series>()
  const heldBefore = ctx.held
  streamSelector(ctx, selector, frame, true, (series) => values.set(series.ref, series), 'timestamp')
  streamSelector(ctx, selector, frame, false, (series) => {
    if (!series.present.includes(HISTOGRAM)) return
    const labels = formatLabels(ctx.labelsOf(series))
    throw new QueryError('execution', `this should be an info metric, with float samples: ${labels}`)
  })
  ctx.held = heldBefore
  return [...values.values()].map((series) => {
    const labels = ctx.labelsOf(series)
    return { series, labels, signature: signatureOf(labels, labelValue(labels, METRIC_NAME)) }
  })
}

function signatureOf(labels: Labels, metric: string): string {
  return [metric, ...IDENTIFYING.map((name) => labelValue(labels, name))].join('\xff')
}

function escapeRegex(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&')
}

class InfoJoin {
  readonly #steps: number
  readonly #bySignature = new Map<string, Info[]>()
  readonly #metrics: readonly string[]
  readonly #dataNames: ReadonlySet<string>
  /** Series without any info stay only when no data matcher insists on a value. */
  readonly #keepsBare: boolean
  readonly #outputs = new Map<string, Series>()

  constructor(infos: readonly Info[], dataMatchers: readonly Matcher[], frame: Frame) {
    this.#steps = frame.steps
    for (const info of infos) {
      const same = this.#bySignature.get(info.signature)
      if (same === undefined) this.#bySignature.set(info.signature, [info])
      else same.push(info)
    }
    this.#metrics = [...new Set(infos.map(({ labels }) => labelValue(labels, METRIC_NAME)))]
    this.#dataNames = new Set(dataMatchers.map(({ name }) => name))
    this.#keepsBare = dataMatchers.every((matcher) => compileMatcher(matcher)(''))
  }

  outputs(): Iterable<Series> {
    return this.#outputs.values()
  }

  enrich(base: Series, labels: Labels): void {
    const candidates = this.#metrics
      .map((metric) => this.#bySignature.get(signatureOf(labels, metric)))
      .filter((infos) => infos !== undefined)
    const byChoice = new Map<string, Series | null>()
    for (let i = 0; i < this.#steps; i++) {
      if (base.present[i] === NONE) continue
      const chosen = candidates.map((infos) => this.#newest(infos, i)).filter((info) => info !== null)
      const choice = chosen.map(({ series }) => series.ref).join(',')
      let out = byChoice.get(choice)
      if (out === undefined) {
        out = chosen.length === 0 && !this.#keepsBare ? null : this.#output(base, this.#join(labels, chosen))
        byChoice.set(choice, out)
      }
      if (out === null) continue
      if (out.present[i] !== NONE) {
        throw new QueryError('execution', 'vector cannot contain metrics with the same labelset')
      }
      out.present[i] = base.present[i]!
      out.values[i] = base.values[i]!
      if (base.present[i] === HISTOGRAM) {
        out.histograms ??= new Array(this.#steps)
        out.histograms[i] = base.histograms![i]
      }
    }
  }

  #newest(infos: readonly Info[], step: number): Info | null {
    let best: Info | null = null
    for (const info of infos) {
      if (info.series.present[step] === NONE) continue
      if (best === null) {
        best = info
        continue
      }
      const time = info.series.values[step]!
      const bestTime = best.series.values[step]!
      if (time === bestTime) {
        throw new QueryError(
          'execution',
          `found duplicate series for info metric: existing ${formatLabels(best.labels)} @ ${Math.round(bestTime * 1000)}, ` +
            `new ${formatLabels(info.labels)} @ ${Math.round(time * 1000)}`,
        )
      }
      if (time > bestTime) best = info
    }
    return best
  }

  #join(labels: Labels, infos: readonly Info[]): Labels {
    const added = new Map<string, string>()
    for (const info of infos) {
      for (let i = 0; i < info.labels.length; i += 2) {
        const name = info.labels[i]!
        const value = info.labels[i + 1]!
        if (name === METRIC_NAME || (this.#dataNames.size > 0 && !this.#dataNames.has(name))) continue
        const before = added.get(name)
        if (before !== undefined && before !== value) throw new QueryError('execution', `conflicting label: ${name}`)
        if (labelValue(labels, name) === '') added.set(name, value)
      }
    }
    let out = labels
    for (const [name, value] of added) out = setLabel(out, name, value)
    return out
  }

  #output(base: Series, labels: Labels): Series {
    const key = labelsKey(labels)
    let out = this.#outputs.get(key)
    if (out === undefined) {
      out = newSeries(this.#steps, -1, labels)
      out.dropName = base.dropName
      this.#outputs.set(key, out)
    }
    return out
  }
}
