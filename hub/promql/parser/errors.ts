/**
 * What a query that does not parse says: one message for a human, all of them with byte ranges for editors.
 * Semantics: Prometheus promql/parser/parse.go ParseErr, posrange.StartPosInput.
 */
import type { Position } from '../ast.ts'

/** One complaint. `position` counts bytes of the UTF-8 query. */
export type ParseIssue = { readonly message: string; readonly position: Position }

/** `message` is the first issue's, with its `line:column`, both from 1, the column in bytes. */
export class ParseError extends Error {
  readonly position: Position
  readonly errors: readonly ParseIssue[]

  constructor(source: string, errors: readonly ParseIssue[]) {
    const [first] = errors
    if (!first) throw new Error('BUG: ParseError without an issue')
    super(`${lineColumn(source, first.position.start)}: parse error: ${first.message}`)
    this.name = 'ParseError'
    this.position = first.position
    this.errors = errors
  }
}

/** `line:column` of a byte offset. @param source one char per byte */
export function lineColumn(source: string, offset: number): string {
  if (offset < 0 || offset > source.length) return 'invalid position'
  let line = 1
  let lineStart = 0
  for (let i = source.indexOf('\n'); i >= 0 && i < offset; i = source.indexOf('\n', i + 1)) {
    line++
    lineStart = i + 1
  }
  return `${line}:${offset - lineStart + 1}`
}
