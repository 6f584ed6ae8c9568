/** Where in an expression a parse error lies. Prometheus writes `invalid parameter "query": 1:5: parse error: …`. */

export type ErrorPosition = {
  /** The line of the expression that holds the error. */
  readonly line: string
  /** 1-based. */
  readonly lineNumber: number
  /** 1-based, in UTF-16 code units of that line. */
  readonly column: number
}

export function errorPosition(message: string, expr: string): ErrorPosition | null {
  const found = /(?:^|[\s:])(\d+):(\d+): parse error/.exec(message)
  if (!found) return null
  const lineNumber = Number(found[1])
  const line = expr.split('\n')[lineNumber - 1]
  if (line === undefined) return null
  return { line, lineNumber, column: Math.min(Number(found[2]), line.length + 1) }
}
