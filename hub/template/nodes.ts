/**
 * The syntax tree of Go's text/template, and its printed form: error messages quote the node that failed.
 * Semantics: Go text/template/parse/node.go (1.24), String methods.
 */
import { assertNever } from './errors.ts'

/** `pos` is an offset in the text, in UTF-16 units; columns of messages are counted in bytes. */
export type Argument =
  | { readonly kind: 'dot'; readonly pos: number }
  | { readonly kind: 'nil'; readonly pos: number }
  | { readonly kind: 'bool'; readonly pos: number; readonly value: boolean }
  | { readonly kind: 'number'; readonly pos: number; readonly text: string; readonly value: bigint | number }
  | { readonly kind: 'string'; readonly pos: number; readonly quoted: string; readonly value: string }
  | { readonly kind: 'identifier'; readonly pos: number; readonly name: string }
  | { readonly kind: 'field'; readonly pos: number; readonly path: readonly string[] }
  | { readonly kind: 'variable'; readonly pos: number; readonly name: string; readonly path: readonly string[] }
  | { readonly kind: 'chain'; readonly pos: number; readonly node: Argument; readonly path: readonly string[] }
  | Pipeline

export type Command = { readonly kind: 'command'; readonly pos: number; readonly args: readonly Argument[] }

export type Pipeline = {
  readonly kind: 'pipeline'
  readonly pos: number
  readonly declared: readonly string[]
  /** `=` rather than `:=`. */
  readonly assigns: boolean
  readonly commands: readonly Command[]
}

export type Branch = BranchOf<'if'> | BranchOf<'with'> | BranchOf<'range'>
export type BranchOf<Kind> = {
  readonly kind: Kind
  readonly pos: number
  readonly pipeline: Pipeline
  readonly body: readonly Node[]
  readonly otherwise: readonly Node[]
}

export type Node =
  | { readonly kind: 'text'; readonly pos: number; readonly text: string }
  | { readonly kind: 'action'; readonly pos: number; readonly pipeline: Pipeline }
  | { readonly kind: 'template'; readonly pos: number; readonly name: string; readonly pipeline: Pipeline | null }
  | { readonly kind: 'break' | 'continue'; readonly pos: number }
  | Branch

/** A named list of nodes, as `define` makes them. */
export type Definition = {
  readonly name: string
  /** The name given to the text that it stands in, and that text: for places in messages. */
  readonly source: Source
  readonly nodes: readonly Node[]
}

export type Source = { readonly name: string; readonly text: string }

export function printNode(node: Argument | Command | Node): string {
  switch (node.kind) {
    case 'dot':
      return '.'
    case 'nil':
      return 'nil'
    case 'bool':
      return String(node.value)
    case 'number':
      return node.text
    case 'string':
      return node.quoted
    case 'identifier':
      return node.name
    case 'field':
      return node.path.map((name) => `.${name}`).join('')
    case 'variable':
      return [node.name, ...node.path].join('.')
    case 'chain': {
      const inner = node.node.kind === 'pipeline' ? `(${printNode(node.node)})` : printNode(node.node)
      return inner + node.path.map((name) => `.${name}`).join('')
    }
    case 'command':
      return node.args.map((arg) => (arg.kind === 'pipeline' ? `(${printNode(arg)})` : printNode(arg))).join(' ')
    case 'pipeline': {
      const names = node.declared.length > 0 ? `${node.declared.join(', ')} ${node.assigns ? '=' : ':='} ` : ''
      return names + node.commands.map(printNode).join(' | ')
    }
    case 'text':
      return node.text
    case 'action':
      return `{{${printNode(node.pipeline)}}}`
    case 'template':
      return `{{template ${JSON.stringify(node.name)}${node.pipeline ? ` ${printNode(node.pipeline)}` : ''}}}`
    case 'break':
    case 'continue':
      return `{{${node.kind}}}`
    case 'if':
    case 'with':
    case 'range': {
      const otherwise = node.otherwise.length > 0 ? `{{else}}${node.otherwise.map(printNode).join('')}` : ''
      return `{{${node.kind} ${printNode(node.pipeline)}}}${node.body.map(printNode).join('')}${otherwise}{{end}}`
    }
    default:
      return assertNever(node)
  }
}
