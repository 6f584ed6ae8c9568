/**
 * Go's text/template and html/template, which rule annotations and notifications are written in. It knows nothing of
 * either: both bring their functions and data.
 */
import { TemplateError } from './errors.ts'
import { type ExecOptions, execute } from './exec.ts'
import { BUILTINS, type Functions } from './functions.ts'
import type { Definition } from './nodes.ts'
import { isEmptyTree, parseTemplate } from './parse.ts'
import type { Value } from './values.ts'

export { COMMON_FUNCTIONS, ofAny, ofText } from './common.ts'
export { TemplateError } from './errors.ts'
export type { Functions, ParamType, TemplateFunction } from './functions.ts'
export { queryEscape } from './functions.ts'
export { escapeHtml } from './html.ts'
export { parseTime } from './parse-time.ts'
export { general, sprintf } from './printf.ts'
export { unquote } from './quoted.ts'
export {
  humanize,
  humanize1024,
  humanizeDuration,
  humanizePercentage,
  matches,
  parseGoFloat,
  replaceAllRegex,
  short,
  title,
  titleCase,
  toFloat,
} from './text.ts'
export {
  durationOf,
  formatDuration,
  formatTime,
  goDuration,
  goTime,
  type Instant,
  instantOf,
  UTC,
  ZERO_TIME_NS,
  type Zone,
  zone,
} from './time.ts'
export {
  formatFloat64,
  formatValue,
  GoList,
  GoMap,
  GoStruct,
  isTrue,
  type Method,
  SafeText,
  stringMap,
  typeName,
  type Value,
} from './values.ts'

/** A set of templates that can call each other. */
export class TemplateSet {
  readonly #functions: Functions
  readonly #definitions = new Map<string, Definition>()

  constructor(functions: Functions, from?: TemplateSet) {
    this.#functions = functions
    if (from) for (const [name, definition] of from.#definitions) this.#definitions.set(name, definition)
  }

  has(name: string): boolean {
    return this.#definitions.has(name)
  }

  /** Definitions of the text take the place of earlier ones of their name, unless they are empty. @throws TemplateError */
  add(name: string, text: string): this {
    const isFunction = (word: string): boolean =>
      word === 'and' || word === 'or' || Object.hasOwn(BUILTINS, word) || Object.hasOwn(this.#functions, word)
    for (const definition of parseTemplate({ name, text }, isFunction))
      if (!this.#definitions.has(definition.name) || !isEmptyTree(definition.nodes))
        this.#definitions.set(definition.name, definition)
    return this
  }

  /**
   * @example new TemplateSet({}).add('t', 'a {{ .b }}').execute('t', stringMap({ b: 'c' })) // 'a c'
   * @throws TemplateError
   */
  execute(name: string, data: Value, options: Partial<Omit<ExecOptions, 'functions'>> = {}): string {
    if (!this.#definitions.has(name)) throw new TemplateError(`template: ${name}: no template of that name`)
    return execute(name, this.#definitions, data, {
      html: false,
      missingKey: 'zero',
      ...options,
      functions: this.#functions,
    })
  }
}
