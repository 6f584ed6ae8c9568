/**
 * Templates of alert labels and annotations: the actions that rules use of Go's text/template: `$labels`, `$value`,
 * `$externalLabels`, `$externalURL`, pipelines, functions, `if`/`else`/`end`. What is not built (range, define, query)
 * is an error when the rule file is loaded, never silently printed.
 * Semantics: Prometheus template/template.go, rules/alerting.go.
 */
import { formatFloat } from '../../protocol/samples/mod.ts'
import { FUNCTIONS, type TemplateValue, truth } from './template-functions.ts'

export type TemplateData = {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  readonly externalLabels: Readonly<Record<string, string>>
  readonly externalUrl: string
}

type Operand =
  | { readonly kind: 'literal'; readonly value: TemplateValue }
  | { readonly kind: 'variable'; readonly name: string; readonly path: readonly string[] }
  | { readonly kind: 'pipeline'; readonly pipeline: Pipeline }
type Command = { readonly func: string | null; readonly args: readonly Operand[] }
type Pipeline = readonly Command[]
type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'output'; readonly pipeline: Pipeline }
  | {
      readonly kind: 'if'
      readonly condition: Pipeline
      readonly whenTrue: readonly Node[]
      readonly otherwise: readonly Node[]
    }

const VARIABLES = ['$labels', '$value', '$externalLabels', '$externalURL', '$']

/** The problem, or null when the template can be used. */
export function checkTemplate(text: string): string | null {
  try {
    parseTemplate(text)
    return null
  } catch (error) {
    return (error as Error).message
  }
}

/** A template that fails gives upstream's text in its place: `<error expanding template: …>`. */
export function expandTemplate(text: string, data: TemplateData): string {
  if (!text.includes('{{')) return text
  try {
    return render(parseTemplate(text), data)
  } catch (error) {
    return `<error expanding template: ${(error as Error).message}>`
  }
}

function render(nodes: readonly Node[], data: TemplateData): string {
  let out = ''
  for (const node of nodes) {
    if (node.kind === 'text') out += node.text
    else if (node.kind === 'output') out += show(run(node.pipeline, data))
    else out += render(truth(run(node.condition, data)) ? node.whenTrue : node.otherwise, data)
  }
  return out
}

function show(value: TemplateValue): string {
  if (typeof value === 'number') return goNumber(value)
  if (typeof value === 'object') {
    const sorted = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
    return `map[${sorted.map(([name, text]) => `${name}:${text}`).join(' ')}]`
  }
  return String(value)
}

/** fmt's %v of a float64: an exponent below 1e-4 and from 1e21. */
function goNumber(value: number): string {
  const magnitude = Math.abs(value)
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e21) && Number.isFinite(value)) {
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
  }
  return formatFloat(value)
}

function run(pipeline: Pipeline, data: TemplateData): TemplateValue {
  let piped: TemplateValue | undefined
  for (const { func, args } of pipeline) {
    const values = args.map((arg) => evaluate(arg, data))
    if (piped !== undefined) values.push(piped)
    if (func === null) piped = values[0]!
    else piped = FUNCTIONS[func]!(values, data.externalUrl)
  }
  return piped!
}

function evaluate(operand: Operand, data: TemplateData): TemplateValue {
  if (operand.kind === 'literal') return operand.value
  if (operand.kind === 'pipeline') return run(operand.pipeline, data)
  const dot = {
    Labels: data.labels,
    Value: data.value,
    ExternalLabels: data.externalLabels,
    ExternalURL: data.externalUrl,
  }
  const roots: Readonly<Record<string, unknown>> = {
    $labels: data.labels,
    $value: data.value,
    $externalLabels: data.externalLabels,
    $externalURL: data.externalUrl,
    $: dot,
  }
  let value = roots[operand.name]
  for (const name of operand.path) {
    if (typeof value !== 'object' || value === null) throw new Error(`can't evaluate field ${name}`)
    // A label that is absent is the empty string.
    value = (value as Record<string, unknown>)[name] ?? ''
  }
  return value as TemplateValue
}

const PIECE = /\{\{(- )?\s*([\s\S]*?)\s*( -)?\}\}/g

function parseTemplate(text: string): readonly Node[] {
  const root: Node[] = []
  const stack: { nodes: Node[]; node: { whenTrue: Node[]; otherwise: Node[] } | null }[] = [{ nodes: root, node: null }]
  let at = 0
  let trimNext = false
  const addText = (piece: string, trimEnd: boolean): void => {
    let shown = trimNext ? piece.trimStart() : piece
    if (trimEnd) shown = shown.trimEnd()
    if (shown !== '') stack.at(-1)!.nodes.push({ kind: 'text', text: shown })
  }
  for (const match of text.matchAll(PIECE)) {
    addText(text.slice(at, match.index), match[1] !== undefined)
    trimNext = match[3] !== undefined
    at = match.index + match[0].length
    parseAction(match[2]!, stack)
  }
  const rest = text.slice(at)
  if (rest.includes('{{')) throw new Error('unclosed action')
  addText(rest, false)
  if (stack.length > 1) throw new Error('unexpected EOF: an if without its end')
  return root
}

type Frame = { nodes: Node[]; node: { whenTrue: Node[]; otherwise: Node[] } | null }

function parseAction(action: string, stack: Frame[]): void {
  const top = stack.at(-1)!
  if (action === '' || action.startsWith('/*')) return
  if (action === 'end') {
    if (!top.node) throw new Error('unexpected {{end}}')
    stack.pop()
  } else if (action === 'else' || action.startsWith('else if ')) {
    if (!top.node) throw new Error('unexpected {{else}}')
    stack.pop()
    const branch = top.node.otherwise
    if (action === 'else') stack.push({ nodes: branch, node: top.node })
    else {
      const inner = { whenTrue: [] as Node[], otherwise: [] as Node[] }
      branch.push({ kind: 'if', condition: parsePipeline(action.slice(8)), ...inner })
      stack.push({ nodes: inner.whenTrue, node: inner })
    }
  } else if (action.startsWith('if ')) {
    const node = { whenTrue: [] as Node[], otherwise: [] as Node[] }
    top.nodes.push({ kind: 'if', condition: parsePipeline(action.slice(3)), ...node })
    stack.push({ nodes: node.whenTrue, node })
  } else if (/^(?:range|with|define|template|block)\b/.test(action) || /^\$\w+\s*:?=/.test(action)) {
    throw new Error(`the action {{${action}}} is not supported in rules yet`)
  } else top.nodes.push({ kind: 'output', pipeline: parsePipeline(action) })
}

const TOKEN =
  /\s*(?:("(?:[^"\\]|\\.)*")|(`[^`]*`)|([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)|(\$?[A-Za-z_]\w*|\$)|((?:\.[A-Za-z_]\w*)+)|([()|,])|(\S))/y

function parsePipeline(text: string): Pipeline {
  const tokens: RegExpExecArray[] = []
  TOKEN.lastIndex = 0
  while (text.slice(TOKEN.lastIndex).trim() !== '') {
    const token = TOKEN.exec(text)!
    if (token[7] !== undefined) throw new Error(`unexpected ${JSON.stringify(token[7])} in operand`)
    tokens.push(token)
  }
  const position = { at: 0 }
  const pipeline = parseCommands(tokens, position)
  if (position.at < tokens.length) throw new Error(`unexpected ${JSON.stringify(tokens[position.at]![0].trim())}`)
  return pipeline
}

function parseCommands(tokens: readonly RegExpExecArray[], position: { at: number }): Pipeline {
  const commands: Command[] = []
  for (;;) {
    commands.push(parseCommand(tokens, position, commands.length > 0))
    if (tokens[position.at]?.[6] !== '|') return commands
    position.at++
  }
}

function parseCommand(tokens: readonly RegExpExecArray[], position: { at: number }, piped: boolean): Command {
  const first = tokens[position.at]
  if (!first) throw new Error('missing value for command')
  let func: string | null = null
  if (first[4] !== undefined && !first[4].startsWith('$') && !['true', 'false'].includes(first[4])) {
    func = first[4]
    if (!FUNCTIONS[func]) throw new Error(`function ${JSON.stringify(func)} not defined`)
    position.at++
  }
  const args: Operand[] = []
  for (let token = tokens[position.at]; token && token[6] !== '|' && token[6] !== ')'; token = tokens[position.at]) {
    args.push(parseOperand(tokens, position))
  }
  if (func === null && (args.length !== 1 || piped))
    throw new Error(args.length === 0 ? 'missing value for command' : "can't give argument to non-function")
  return { func, args }
}

function parseOperand(tokens: readonly RegExpExecArray[], position: { at: number }): Operand {
  const token = tokens[position.at++]!
  if (token[1] !== undefined) return { kind: 'literal', value: JSON.parse(token[1]) as string }
  if (token[2] !== undefined) return { kind: 'literal', value: token[2].slice(1, -1) }
  if (token[3] !== undefined) return { kind: 'literal', value: Number(token[3]) }
  if (token[6] === '(') {
    const pipeline = parseCommands(tokens, position)
    if (tokens[position.at++]?.[6] !== ')') throw new Error('unclosed left paren')
    return { kind: 'pipeline', pipeline }
  }
  const dotted = (text: string | undefined): readonly string[] => text?.slice(1).split('.') ?? []
  if (token[5] !== undefined) return { kind: 'variable', name: '$', path: dotted(token[5]) }
  const name = token[4]
  if (name === 'true' || name === 'false') return { kind: 'literal', value: name === 'true' }
  if (name === undefined || !name.startsWith('$'))
    throw new Error(`unexpected ${JSON.stringify(token[0].trim())} in operand`)
  if (!VARIABLES.includes(name)) throw new Error(`undefined variable ${JSON.stringify(name)}`)
  const next = tokens[position.at]
  const adjacent = next?.[5] !== undefined && next[0] === next[5]
  if (adjacent) position.at++
  return { kind: 'variable', name, path: adjacent ? dotted(next[5]) : [] }
}
