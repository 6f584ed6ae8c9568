/**
 * Templates as trees. Functions are checked by name and variables by scope while parsing, as Go does.
 * Semantics: Go text/template/parse/parse.go (1.24); its messages are kept.
 */
import { TemplateError } from './errors.ts'
import { lex, type Token, type TokenKind } from './lex.ts'
import type { Argument, Branch, Command, Definition, Node, Pipeline, Source } from './nodes.ts'
import { parseNumber, unquote } from './quoted.ts'

const DEPTH_MAX = 250

/**
 * All definitions of the text, the text itself first under the name of the source.
 * @throws TemplateError `template: NAME:LINE: …`
 */
export function parseTemplate(source: Source, isFunction: (name: string) => boolean): Definition[] {
  return new Parser(source, isFunction).parse()
}

/** True when nothing but space and definitions stands in it: it does not replace a definition that does more. */
export function isEmptyTree(nodes: readonly Node[]): boolean {
  return nodes.every((node) => node.kind === 'text' && node.text.trim() === '')
}

type Ending = { readonly word: 'end' | 'else'; readonly token: Token }

class Parser {
  readonly #source: Source
  readonly #isFunction: (name: string) => boolean
  readonly #tokens: readonly Token[]
  readonly #definitions: Definition[] = []
  #next = 0
  #variables: string[] = ['$']
  #rangeDepth = 0
  #depth = 0

  constructor(source: Source, isFunction: (name: string) => boolean) {
    this.#source = source
    this.#isFunction = isFunction
    this.#tokens = lex(source.text)
  }

  parse(): Definition[] {
    const { nodes, ending } = this.#list(true)
    if (ending) this.#fail(`unexpected {{${ending.word}}}`, ending.token)
    return [{ name: this.#source.name, source: this.#source, nodes }, ...this.#definitions]
  }

  #list(isTop: boolean): { nodes: Node[]; ending: Ending | null } {
    const nodes: Node[] = []
    for (;;) {
      const token = this.#take()
      if (token.kind === 'text') nodes.push({ kind: 'text', pos: token.pos, text: token.text })
      else if (token.kind === 'end') {
        if (!isTop) this.#fail('unexpected EOF', token)
        return { nodes, ending: null }
      } else if (token.kind === 'open') {
        const result = this.#action(isTop)
        if (result === null) continue
        if ('word' in result) return { nodes, ending: result }
        nodes.push(result)
      } else this.#unexpected(token, 'input')
    }
  }

  #action(isTop: boolean): Node | Ending | null {
    const token = this.#takeNonSpace()
    if (token.kind !== 'keyword') {
      this.#back()
      return this.#output(token)
    }
    switch (token.text) {
      case 'end':
        this.#expect('close', 'end')
        return { word: 'end', token }
      case 'else':
        return { word: 'else', token }
      case 'if':
      case 'with':
      case 'range':
        return this.#branch(token.text, token)
      case 'break':
      case 'continue':
        this.#expect('close', `{{${token.text}}}`)
        if (this.#rangeDepth === 0) this.#fail(`{{${token.text}}} outside {{range}}`, token)
        return { kind: token.text, pos: token.pos }
      case 'define':
        if (!isTop) this.#fail('unexpected {{define}}', token)
        this.#define()
        return null
      case 'block':
        return this.#block(token)
      default:
        return this.#templateCall()
    }
  }

  #output(first: Token): Node {
    const pipeline = this.#pipeline('command', 'close', first.pos)
    return { kind: 'action', pos: first.pos, pipeline }
  }

  #branch(kind: Branch['kind'], token: Token): Branch {
    const scope = this.#variables.length
    this.#enter(token)
    const pipeline = this.#pipeline(kind, 'close', token.pos)
    if (kind === 'range') this.#rangeDepth++
    const { nodes: body, ending } = this.#list(false)
    if (kind === 'range') this.#rangeDepth--
    let otherwise: Node[] = []
    if (ending?.word === 'else') {
      const after = this.#peekNonSpace()
      if (after.kind === 'keyword' && kind !== 'range' && after.text === kind) {
        // `else if` and `else with` share the `end` of what they belong to.
        this.#takeNonSpace()
        otherwise = [this.#branch(kind, after)]
      } else {
        this.#expect('close', 'else')
        const rest = this.#list(false)
        otherwise = rest.nodes
        if (rest.ending?.word === 'else') this.#fail('expected end; found {{else}}', rest.ending.token)
      }
    }
    this.#depth--
    this.#variables.length = scope
    return { kind, pos: token.pos, pipeline, body, otherwise }
  }

  #define(): void {
    const name = this.#name('define clause')
    this.#expect('close', 'define clause')
    this.#definitionBody(name, '{{define}}')
  }

  #block(token: Token): Node {
    const name = this.#name('block clause')
    const pipeline = this.#pipeline('block clause', 'close', token.pos)
    this.#definitionBody(name, '{{block}}')
    return { kind: 'template', pos: token.pos, name, pipeline }
  }

  #definitionBody(name: string, where: string): void {
    const variables = this.#variables
    const rangeDepth = this.#rangeDepth
    this.#variables = ['$']
    this.#rangeDepth = 0
    const { nodes, ending } = this.#list(false)
    if (ending?.word !== 'end') this.#fail(`unexpected {{else}} in ${where}`, ending!.token)
    this.#variables = variables
    this.#rangeDepth = rangeDepth
    this.#definitions.push({ name, source: this.#source, nodes })
  }

  #templateCall(): Node {
    const { pos } = this.#peekNonSpace()
    const name = this.#name('template clause')
    const next = this.#takeNonSpace()
    if (next.kind === 'close') return { kind: 'template', pos, name, pipeline: null }
    this.#back()
    return { kind: 'template', pos, name, pipeline: this.#pipeline('template clause', 'close', next.pos) }
  }

  #name(context: string): string {
    const token = this.#takeNonSpace()
    if (token.kind !== 'string' && token.kind !== 'rawString') this.#unexpected(token, context)
    return this.#stringOf(token)
  }

  #pipeline(context: string, end: TokenKind, pos: number): Pipeline {
    const first = this.#peekNonSpace()
    const declared: string[] = []
    let assigns = false
    if (first.kind === 'variable') {
      const mark = this.#next
      const names = this.#declaration(context)
      if (names === null) this.#next = mark
      else {
        declared.push(...names.names)
        assigns = names.assigns
      }
    }
    const commands: Command[] = []
    for (;;) {
      const token = this.#takeNonSpace()
      if (token.kind === end) {
        if (commands.length === 0) this.#fail(`missing value for ${context}`, token)
        commands.slice(1).forEach((command, i) => {
          if (['bool', 'dot', 'nil', 'number', 'string'].includes(command.args[0]!.kind))
            this.#fail(`non executable command in pipeline stage ${i + 2}`, token)
        })
        // A variable is seen from the end of the pipeline that declares it.
        if (!assigns) this.#variables.push(...declared)
        return {
          kind: 'pipeline',
          pos: declared.length > 0 ? first.pos : commands[0]!.pos || pos,
          declared,
          assigns,
          commands,
        }
      }
      this.#back()
      if (!STARTS.has(token.kind)) this.#unexpected(token, context)
      commands.push(this.#command())
    }
  }

  #declaration(context: string): { names: string[]; assigns: boolean } | null {
    const names: string[] = []
    for (;;) {
      const variable = this.#takeNonSpace()
      if (variable.kind !== 'variable') return null
      const next = this.#takeNonSpace()
      names.push(variable.text)
      if (next.kind === 'declare' || next.kind === 'assign') {
        const assigns = next.kind === 'assign'
        if (assigns) for (const name of names) this.#checkVariable(name, next)
        return { names, assigns }
      }
      if (next.kind === 'char' && next.text === ',' && context === 'range' && names.length < 2) continue
      if (next.kind === 'char' && next.text === ',') this.#fail(`too many declarations in ${context}`, next)
      return null
    }
  }

  #command(): Command {
    const pos = this.#peekNonSpace().pos
    const args: Argument[] = []
    for (;;) {
      this.#peekNonSpace()
      const operand = this.#operand()
      if (operand) args.push(operand)
      const token = this.#take()
      if (token.kind === 'space') continue
      if (token.kind === 'close' || token.kind === 'rightParen') this.#back()
      else if (token.kind !== 'pipe') this.#unexpected(token, 'operand')
      break
    }
    if (args.length === 0) this.#fail('empty command', this.#tokens[this.#next]!)
    return { kind: 'command', pos, args }
  }

  #operand(): Argument | null {
    const node = this.#term()
    if (node === null) return null
    if (this.#peek().kind !== 'field') return node
    const path: string[] = []
    const pos = this.#peek().pos
    while (this.#peek().kind === 'field') path.push(this.#take().text.slice(1))
    if (node.kind === 'field') return { ...node, pos, path: [...node.path, ...path] }
    if (node.kind === 'variable') return { ...node, pos, path: [...node.path, ...path] }
    if (['bool', 'string', 'number', 'nil', 'dot'].includes(node.kind))
      this.#fail(`unexpected . after term ${JSON.stringify(this.#source.text.slice(node.pos, pos))}`, this.#peek())
    return { kind: 'chain', pos, node, path }
  }

  #term(): Argument | null {
    const token = this.#takeNonSpace()
    const { pos, text } = token
    switch (token.kind) {
      case 'identifier':
        if (!this.#isFunction(text)) this.#fail(`function ${JSON.stringify(text)} not defined`, token)
        return { kind: 'identifier', pos, name: text }
      case 'dot':
        return { kind: 'dot', pos }
      case 'nil':
        return { kind: 'nil', pos }
      case 'variable':
        this.#checkVariable(text, token)
        return { kind: 'variable', pos, name: text, path: [] }
      case 'field':
        return { kind: 'field', pos, path: [text.slice(1)] }
      case 'bool':
        return { kind: 'bool', pos, value: text === 'true' }
      case 'charConstant': {
        const char = unquote(text)
        if (char === null || [...char].length !== 1) this.#fail(`malformed character constant: ${text}`, token)
        return { kind: 'number', pos, text, value: BigInt(char!.codePointAt(0)!) }
      }
      case 'number': {
        const value = parseNumber(text)
        if (value === null) return this.#fail(`bad number syntax: ${JSON.stringify(text)}`, token)
        if (value === 'overflow') return this.#fail(`integer overflow: ${JSON.stringify(text)}`, token)
        return { kind: 'number', pos, text, value }
      }
      case 'string':
      case 'rawString':
        return { kind: 'string', pos, quoted: text, value: this.#stringOf(token) }
      case 'leftParen': {
        this.#enter(token)
        const inner = this.#pipeline('parenthesized pipeline', 'rightParen', pos + 1)
        this.#depth--
        return inner
      }
      default:
        this.#back()
        return null
    }
  }

  #stringOf(token: Token): string {
    if (token.kind === 'rawString') return token.text.slice(1, -1)
    const value = unquote(token.text)
    if (value === null) this.#fail('invalid syntax', token)
    return value!
  }

  #checkVariable(name: string, token: Token): void {
    if (!this.#variables.includes(name)) this.#fail(`undefined variable ${JSON.stringify(name)}`, token)
  }

  #enter(token: Token): void {
    if (++this.#depth > DEPTH_MAX) this.#fail(`nested more than ${DEPTH_MAX} deep`, token)
  }

  #take(): Token {
    const token = this.#tokens[Math.min(this.#next, this.#tokens.length - 1)]!
    this.#next++
    if (token.kind === 'error') this.#fail(token.text, token)
    return token
  }

  #takeNonSpace(): Token {
    for (;;) {
      const token = this.#take()
      if (token.kind !== 'space') return token
    }
  }

  #back(): void {
    this.#next--
  }

  #peek(): Token {
    const token = this.#take()
    this.#back()
    return token
  }

  /** Passes over spaces. */
  #peekNonSpace(): Token {
    const token = this.#takeNonSpace()
    this.#back()
    return token
  }

  #expect(kind: TokenKind, context: string): void {
    const token = this.#takeNonSpace()
    if (token.kind !== kind) this.#unexpected(token, context)
  }

  #unexpected(token: Token, context: string): never {
    const shown =
      token.kind === 'end' ? 'EOF' : token.kind === 'keyword' ? `<${token.text}>` : JSON.stringify(token.text)
    return this.#fail(`unexpected ${shown} in ${context}`, token)
  }

  #fail(problem: string, token: Token): never {
    throw new TemplateError(`template: ${this.#source.name}:${token.line}: ${problem}`)
  }
}

/** What a command can begin with. */
const STARTS: ReadonlySet<TokenKind> = new Set([
  'bool',
  'charConstant',
  'dot',
  'field',
  'identifier',
  'number',
  'nil',
  'rawString',
  'string',
  'variable',
  'leftParen',
])
