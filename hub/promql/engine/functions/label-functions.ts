/**
 * label_replace() and label_join(): new labels for each series, values untouched.
 * Semantics: Prometheus promql/functions.go, evalLabelReplace and evalLabelJoin (v3.14).
 */
import { labelValue, METRIC_NAME } from '../../../../protocol/labels/mod.ts'
import { compileRegex, namedGroup } from '../../../../protocol/matchers/mod.ts'
import type { Call, Expr } from '../../ast.ts'
import { QueryError } from '../../contract.ts'
import { unwrap } from '../../parser/mod.ts'
import type { QueryContext } from '../context.ts'
import { setLabel } from '../labels.ts'
import type { Series } from '../types.ts'

export function stringArg(expr: Expr | undefined): string {
  const inner = expr === undefined ? undefined : unwrap(expr)
  if (inner?.kind !== 'string') throw new Error('BUG: a string argument is not a string literal')
  return inner.value
}

export function labelReplace(ctx: QueryContext, call: Call): (series: Series) => void {
  const [dst, replacement, src, pattern] = call.args.slice(1).map(stringArg) as [string, string, string, string]
  const regex = compile(pattern)
  if (!isValidLabelName(dst)) {
    throw new QueryError('execution', `invalid destination label name in label_replace(): ${dst}`)
  }
  return (series) => {
    const labels = ctx.labelsOf(series)
    const matcher = regex.matcher(labelValue(labels, src))
    if (!matcher.find()) return
    series.labels = setLabel(labels, dst, expand(dst, replacement, matcher))
    if (dst === METRIC_NAME) series.dropName = false
  }
}

export function labelJoin(ctx: QueryContext, call: Call): (series: Series) => void {
  const dst = stringArg(call.args[1])
  const separator = stringArg(call.args[2])
  const sources = call.args.slice(3).map(stringArg)
  for (const source of sources) {
    if (!isValidLabelName(source)) {
      throw new QueryError('execution', `invalid source label name in label_join(): ${source}`)
    }
  }
  if (!isValidLabelName(dst)) {
    throw new QueryError('execution', `invalid destination label name in label_join(): ${dst}`)
  }
  return (series) => {
    const labels = ctx.labelsOf(series)
    const value = sources.map((source) => labelValue(labels, source)).join(separator)
    checkLength(dst, value.length)
    series.labels = setLabel(labels, dst, value)
    if (dst === METRIC_NAME) series.dropName = false
  }
}

/** Any non-empty, well-formed text, since names are UTF-8. */
export function isValidLabelName(name: string): boolean {
  return name !== '' && name.isWellFormed() && !name.includes('\ufffd')
}

/** Calls inside calls can double a value each time, so there is an end to it. */
const MAX_VALUE_LENGTH = 1 << 16

function checkLength(name: string, length: number): void {
  if (length <= MAX_VALUE_LENGTH) return
  throw new QueryError(
    'execution',
    `value of label "${name}" would be longer than ${MAX_VALUE_LENGTH} characters: shorten what the function builds`,
  )
}

function compile(pattern: string) {
  try {
    return compileRegex(`^(?s:${pattern})$`, pattern)
  } catch (cause) {
    throw new QueryError('execution', `invalid regular expression in label_replace(): ${pattern}`, { cause })
  }
}

type Groups = { group(which: number | string): string | null; groupCount(): number }

/** As regexp.Expand in Go: `$1`, `$name`, `${name}`, `$$`; the longest name counts, an unknown one is empty. */
function expand(dst: string, template: string, groups: Groups): string {
  let length = template.length
  return template.replace(
    /\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu,
    (whole, braced?: string, bare?: string) => {
      const text = whole === '$$' ? '$' : groupText(groups, braced ?? bare ?? '')
      length += text.length - whole.length
      checkLength(dst, length)
      return text
    },
  )
}

function groupText(groups: Groups, name: string): string {
  // A number has no leading zeros, else it is a name.
  if (/^(0|[1-9][0-9]*)$/.test(name))
    return Number(name) <= groups.groupCount() ? (groups.group(Number(name)) ?? '') : ''
  return namedGroup(groups, name) ?? ''
}
