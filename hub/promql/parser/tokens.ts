/**
 * The words of PromQL and how error messages name them.
 * Semantics: Prometheus promql/parser/lex.go (v3.14), Item.desc, key, histogramDesc.
 */
import { quote } from '../../../protocol/labels/mod.ts'

/** One token; `pos` and the length of `val` count bytes of the UTF-8 text, `val` holds one char per byte. */
export type Token = { readonly type: TokenType; readonly pos: number; readonly val: string }

const AGGREGATORS = [
  'sum',
  'avg',
  'count',
  'min',
  'max',
  'group',
  'stddev',
  'stdvar',
  'topk',
  'bottomk',
  'count_values',
  'quantile',
  'limitk',
  'limit_ratio',
] as const
const WORD_OPERATORS = ['and', 'or', 'unless', 'atan2'] as const
const KEYWORDS = [
  'offset',
  'smoothed',
  'anchored',
  'by',
  'without',
  'on',
  'ignoring',
  'group_left',
  'group_right',
  'fill',
  'fill_left',
  'fill_right',
  'bool',
] as const
const PREPROCESSORS = ['start', 'end', 'step', 'range', 'max_of', 'min_of'] as const
const SYMBOL_OPERATORS = [
  '-',
  '+',
  '*',
  '%',
  '/',
  '==',
  '!=',
  '<=',
  '<',
  '>=',
  '>',
  '=~',
  '!~',
  '^',
  '@',
  '</',
  '>/',
] as const
const PUNCTUATION = ['{{', '}}', '(', ')', '{', '}', '[', ']', ',', '=', ':', '_', 'x', ' '] as const
/** Histogram keys and counter reset hints of the series notation; upstream prints them by number. */
export const HISTOGRAM_KEYS = [
  'sum:',
  'count:',
  'schema:',
  'offset:',
  'n_offset:',
  'buckets:',
  'n_buckets:',
  'z_bucket:',
  'z_bucket_w:',
  'custom_values:',
  'counter_reset_hint:',
] as const
export const RESET_HINTS = ['hint unknown', 'hint reset', 'hint not_reset', 'hint gauge'] as const

export type Aggregator = (typeof AGGREGATORS)[number]
export type TokenType =
  | Aggregator
  | (typeof WORD_OPERATORS)[number]
  | (typeof KEYWORDS)[number]
  | (typeof PREPROCESSORS)[number]
  | (typeof SYMBOL_OPERATORS)[number]
  | (typeof PUNCTUATION)[number]
  | (typeof HISTOGRAM_KEYS)[number]
  | (typeof RESET_HINTS)[number]
  | 'eof'
  | 'error'
  | 'comment'
  | 'identifier'
  | 'metric identifier'
  | 'string'
  | 'number'
  | 'duration'

const aggregators: ReadonlySet<string> = new Set(AGGREGATORS)
const operators: ReadonlySet<string> = new Set([...WORD_OPERATORS, ...SYMBOL_OPERATORS])
const keywords: ReadonlySet<string> = new Set(KEYWORDS)
const preprocessors: ReadonlySet<string> = new Set(PREPROCESSORS)
const punctuation: ReadonlySet<string> = new Set(PUNCTUATION)

const words: ReadonlyMap<string, TokenType> = new Map<string, TokenType>([
  ...[...AGGREGATORS, ...WORD_OPERATORS, ...KEYWORDS, ...PREPROCESSORS].map((word): [string, TokenType] => [
    word,
    word,
  ]),
  ['inf', 'number'],
  ['nan', 'number'],
])

/** The token type of a word that is more than a name (letter case does not matter). */
export const keywordType = (word: string): TokenType | undefined => words.get(word.toLowerCase())
export const isAggregator = (type: TokenType): type is Aggregator => aggregators.has(type)
export const isPreprocessor = (type: TokenType): boolean => preprocessors.has(type)

/** Words that may stand where a metric name stands. */
export function isMetricName(type: TokenType): boolean {
  if (type === 'identifier' || type === 'metric identifier') return true
  if (aggregators.has(type)) return true
  switch (type) {
    case 'by':
    case 'without':
    case 'and':
    case 'or':
    case 'unless':
    case 'offset':
    case 'anchored':
    case 'smoothed':
    case 'start':
    case 'end':
    case 'step':
    case 'range':
    case 'max_of':
    case 'min_of':
      return true
    default:
      return false
  }
}

/** Words that may stand where `by (…)`, `on (…)` and their kin want a label. */
export function isGroupingLabel(type: TokenType): boolean {
  if (type === 'identifier' || type === 'metric identifier') return true
  if (type === 'without') return false
  return aggregators.has(type) || keywords.has(type) || preprocessors.has(type) || words.get(type) === type
}

/** The token as `unexpected …` names it. */
export function describeToken(token: Token, text: string): string {
  const { type } = token
  if (keywords.has(type)) return `<${text}>`
  if (operators.has(type)) return `<op:${text}>`
  if (aggregators.has(type)) return `<aggr:${text}>`
  if (punctuation.has(type) || preprocessors.has(type)) return shorten(text)
  if (type === 'eof') return 'end of input'
  if (type === 'identifier' || type === 'metric identifier') return `${type} ${quote(text)}`
  const key = (HISTOGRAM_KEYS as readonly string[]).indexOf(type)
  if (key >= 0) return `"<Item ${57370 + key}>" ${shorten(text)}`
  const hint = (RESET_HINTS as readonly string[]).indexOf(type)
  if (hint >= 0) return `"<Item ${57383 + hint}>" ${shorten(text)}`
  return `${type} ${shorten(text)}`
}

function shorten(text: string): string {
  const runes = [...text]
  // Upstream measures bytes but cuts runes.
  const bytes = new TextEncoder().encode(text).length
  return bytes > 10 ? `${quote(runes.slice(0, 10).join(''))}...` : quote(text)
}
