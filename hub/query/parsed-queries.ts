/** Syntax trees of the texts that a thread is asked again and again: to parse costs a tenth of a small query. */
import type { Expr } from '../promql/ast.ts'
import { parseExpr } from '../promql/parser/mod.ts'
import { parserFeatures } from './features.ts'

/** Of one text: longer ones are rare, and parsing is a small part of what they cost. */
const TEXT_MAX_CHARS = 1000
/** Of all texts together; trees take some fifty bytes a char. */
const TEXTS_MAX_CHARS = 100_000

export class ParsedQueries {
  readonly #known = new Map<string, Expr>()
  #chars = 0

  get chars(): number {
    return this.#chars
  }

  /** The tree is shared: nobody may change it. @param features values of --enable-feature. @throws ParseError */
  parse(text: string, features: readonly string[]): Expr {
    if (text.length > TEXT_MAX_CHARS) return parseExpr(text, parserFeatures(features))
    const key = features.length === 0 ? text : `${features.join()}\n${text}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const expr = parseExpr(text, parserFeatures(features))
    this.#chars += key.length
    if (this.#chars > TEXTS_MAX_CHARS) {
      this.#known.clear()
      this.#chars = key.length
    }
    this.#known.set(key, expr)
    return expr
  }
}
