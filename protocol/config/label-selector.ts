/**
 * Label selectors of Kubernetes, `app=web,tier in (front, back),!canary`: only whether one is valid, since it is the
 * API server that selects. Semantics: apimachinery pkg/labels/selector.go, Parse.
 */

/** What is wrong with a selector, in upstream's words where it is its syntax; null where nothing is. */
export function labelSelectorProblem(selector: string): string | null {
  try {
    new SelectorParser(selector).parse()
    return null
  } catch (error) {
    if (error instanceof SelectorError) return error.message
    throw error
  }
}

class SelectorError extends Error {}

/** Symbols, and runs of anything else; what is between them is blank. */
const TOKENS = /==|!=|[=!(),<>]|[^ \t\r\n=!(),<>]+/g
const NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?$/
const NAME_CHARS_MAX = 63
const DNS_SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/
const DNS_SUBDOMAIN_CHARS_MAX = 253

class SelectorParser {
  readonly #tokens: readonly string[]
  #at = 0

  constructor(selector: string) {
    this.#tokens = selector.match(TOKENS) ?? []
  }

  parse(): void {
    let expected = "!, identifier, or 'end of string'"
    if (this.#next === '') return
    do {
      if (!isWord(this.#next) && this.#next !== '!') throw found(this.#next, expected)
      this.#requirement()
      expected = "identifier after ','"
    } while (this.#isComma())
  }

  /** '' at the end. */
  get #next(): string {
    return this.#tokens[this.#at] ?? ''
  }

  #take(): string {
    const token = this.#next
    this.#at++
    return token
  }

  #isComma(): boolean {
    const token = this.#take()
    if (token !== ',' && token !== '') throw found(token, "',' or 'end of string'")
    return token === ','
  }

  #requirement(): void {
    const isNegated = this.#next === '!'
    if (isNegated) this.#take()
    const key = this.#take()
    if (!isWord(key)) throw notRequirement(foundText(key, 'identifier'))
    if (!isKey(key)) throw notRequirement(`invalid label key ${JSON.stringify(key)}`)
    if (isNegated || this.#next === ',' || this.#next === '') return
    const operator = this.#take()
    if (operator === 'in' || operator === 'notin') this.#values()
    else if (/^[=<>]|^!=/.test(operator)) this.#value(operator)
    else throw notRequirement(foundText(operator, 'in, notin, =, ==, !=, gt, lt'))
  }

  /** In brackets, of which each may be empty. */
  #values(): void {
    const open = this.#take()
    if (open !== '(') throw notRequirement(`found '${open}' expected: '('`)
    for (;;) {
      if (isWord(this.#next)) {
        checkValue(this.#take())
        if (this.#next !== ',' && this.#next !== ')') throw notRequirement(foundText(this.#next, "',' or ')'"))
      }
      const end = this.#take()
      if (end === ')') return
      if (end !== ',') throw notRequirement(foundText(end, "',', ')' or identifier"))
    }
  }

  #value(operator: string): void {
    const isEmpty = this.#next === '' || this.#next === ','
    const value = isEmpty ? '' : this.#take()
    if (!isEmpty && !isWord(value)) throw notRequirement(foundText(value, 'identifier'))
    checkValue(value)
    if ((operator === '<' || operator === '>') && !/^\d+$/.test(value))
      throw notRequirement(`for 'Gt', 'Lt' operators, the value must be an integer, got ${JSON.stringify(value)}`)
  }
}

const isWord = (token: string): boolean => /^[^=!(),<>]/.test(token)

const isName = (text: string): boolean => text.length <= NAME_CHARS_MAX && NAME.test(text)

/** A name, which a DNS domain and a slash may stand before. */
function isKey(text: string): boolean {
  const slash = text.indexOf('/')
  const domain = text.slice(0, Math.max(slash, 0))
  const isDomain = slash < 0 || (domain.length <= DNS_SUBDOMAIN_CHARS_MAX && DNS_SUBDOMAIN.test(domain))
  return isDomain && isName(text.slice(slash + 1))
}

function checkValue(value: string): void {
  if (value !== '' && !isName(value)) throw notRequirement(`invalid label value ${JSON.stringify(value)}`)
}

const foundText = (token: string, expected: string): string => `found '${token}', expected: ${expected}`
const found = (token: string, expected: string): SelectorError => new SelectorError(foundText(token, expected))
const notRequirement = (problem: string): SelectorError => new SelectorError(`unable to parse requirement: ${problem}`)
