/**
 * Runs templates. Semantics: Go text/template/exec.go (1.24), its messages and the places they name; `missingkey=zero`
 * unless told otherwise, as Prometheus and Alertmanager set it.
 */
import { assertNever, TemplateError } from './errors.ts'
import { BUILTINS, checkArgument, checkArity, checkConstant, type Functions } from './functions.ts'
import { HtmlPlaces } from './html.ts'
import {
  type Argument,
  type BranchOf,
  type Command,
  type Definition,
  type Node,
  type Pipeline,
  printNode,
} from './nodes.ts'
import { formatValue, GoList, GoMap, GoStruct, isTrue, typeName, type Value } from './values.ts'

export type ExecOptions = {
  readonly functions: Functions
  readonly html: boolean
  readonly missingKey: 'zero' | 'error'
  /** Errors of these classes leave the template as they are: they are signals of the caller, no failures. */
  readonly isSignal?: (error: unknown) => boolean
}

/** Beyond them a template is taken for one that would not end. */
const DEPTH_MAX = 1000
const OUTPUT_MAX = 16 * 1024 * 1024
const STEPS_MAX = 5_000_000

const MISSING = Symbol('no final argument')
type Final = Value | typeof MISSING
type Variable = { readonly name: string; value: Value }
const STOP = { break: Symbol('break'), continue: Symbol('continue') } as const

/** @throws TemplateError `template: NAME:LINE:COLUMN: executing "NAME" at <…>: …` */
export function execute(
  name: string,
  definitions: ReadonlyMap<string, Definition>,
  data: Value,
  options: ExecOptions,
): string {
  const definition = definitions.get(name)
  if (!definition) throw new TemplateError(`template: no template ${JSON.stringify(name)} associated`)
  const state = new State(definitions, options)
  state.run(definition, data, 0)
  return state.output
}

class State {
  readonly #definitions: ReadonlyMap<string, Definition>
  readonly #options: ExecOptions
  readonly #html: HtmlPlaces | null
  output = ''
  #definition!: Definition
  #variables: Variable[] = []
  #at: Argument | Command | Node | null = null
  #depth = 0
  #steps = 0

  constructor(definitions: ReadonlyMap<string, Definition>, options: ExecOptions) {
    this.#definitions = definitions
    this.#options = options
    this.#html = options.html ? new HtmlPlaces() : null
  }

  run(definition: Definition, dot: Value, depth: number): void {
    const before = { definition: this.#definition, variables: this.#variables, depth: this.#depth, at: this.#at }
    this.#definition = definition
    this.#variables = [{ name: '$', value: dot }]
    this.#depth = depth
    this.#list(definition.nodes, dot)
    this.#definition = before.definition
    this.#variables = before.variables
    this.#depth = before.depth
    this.#at = before.at
  }

  #list(nodes: readonly Node[], dot: Value): symbol | null {
    for (const node of nodes) {
      const stopped = this.#walk(node, dot)
      if (stopped) return stopped
    }
    return null
  }

  #walk(node: Node, dot: Value): symbol | null {
    this.#at = node
    if (++this.#steps > STEPS_MAX) this.#fail(`more than ${STEPS_MAX} steps`)
    switch (node.kind) {
      case 'text':
        this.#html?.follow(node.text)
        this.#write(node.text)
        return null
      case 'action': {
        const value = this.#pipeline(dot, node.pipeline)
        if (node.pipeline.declared.length === 0) this.#print(value)
        return null
      }
      case 'template':
        this.#callTemplate(node, dot)
        return null
      case 'break':
      case 'continue':
        return STOP[node.kind]
      case 'if':
      case 'with': {
        const mark = this.#variables.length
        const value = this.#pipeline(dot, node.pipeline)
        const inner = node.kind === 'with' && isTrue(value) ? value : dot
        const stopped = this.#list(isTrue(value) ? node.body : node.otherwise, inner)
        this.#variables.length = mark
        return stopped
      }
      case 'range':
        return this.#range(node, dot)
      default:
        return assertNever(node)
    }
  }

  #range(node: BranchOf<'range'>, dot: Value): symbol | null {
    const mark = this.#variables.length
    const value = this.#pipeline(dot, node.pipeline)
    this.#at = node
    const items = this.#items(value)
    const { declared, assigns } = node.pipeline
    const inner = this.#variables.length
    for (const [key, item] of items) {
      const given = declared.length === 1 ? [value === null || typeof value === 'bigint' ? key : item] : [key, item]
      declared.forEach((name, i) => {
        if (assigns) this.#set(name, given[i]!)
        else this.#variables[inner - declared.length + i]!.value = given[i]!
      })
      const stopped = this.#list(node.body, item)
      this.#variables.length = inner
      if (stopped === STOP.break) break
    }
    if (items.length === 0) {
      const stopped = this.#list(node.otherwise, dot)
      this.#variables.length = mark
      return stopped
    }
    this.#variables.length = mark
    return null
  }

  #items(value: Value): (readonly [Value, Value])[] {
    if (value === null) return []
    if (value instanceof GoList) return value.items.map((item, i) => [BigInt(i), item])
    if (value instanceof GoMap) return value.sorted()
    if (typeof value === 'bigint') {
      if (value > BigInt(STEPS_MAX)) this.#fail(`range over more than ${STEPS_MAX}`)
      return Array.from({ length: Math.max(0, Number(value)) }, (_, i) => [BigInt(i), BigInt(i)])
    }
    return this.#fail(`range can't iterate over ${formatValue(value)}`)
  }

  #callTemplate(node: Node & { kind: 'template' }, dot: Value): void {
    const definition = this.#definitions.get(node.name)
    if (!definition) this.#fail(`template ${JSON.stringify(node.name)} not defined`)
    if (this.#depth >= DEPTH_MAX) this.#fail(`exceeded maximum template depth (${DEPTH_MAX})`)
    const data = node.pipeline ? this.#pipeline(dot, node.pipeline) : null
    this.run(definition!, data, this.#depth + 1)
  }

  #pipeline(dot: Value, pipeline: Pipeline): Value {
    this.#at = pipeline
    let value: Final = MISSING
    for (const command of pipeline.commands) value = this.#command(dot, command, value)
    const result = value as Value
    for (const name of pipeline.declared) {
      if (pipeline.assigns) this.#set(name, result)
      else this.#variables.push({ name, value: result })
    }
    return result
  }

  #command(dot: Value, command: Command, final: Final): Value {
    const [first] = command.args as [Argument, ...Argument[]]
    switch (first.kind) {
      case 'field':
        this.#at = first
        return this.#fields(dot, dot, first, first.path, command.args, final)
      case 'chain': {
        this.#at = first
        const receiver = this.#argument(dot, first.node)
        return this.#fields(dot, receiver, first, first.path, command.args, final)
      }
      case 'identifier':
        return this.#function(dot, first.name, first, command, command.args, final)
      case 'pipeline':
        this.#notAFunction(command.args, final)
        return this.#pipeline(dot, first)
      case 'variable':
        return this.#variable(dot, first, command.args, final)
      default:
        this.#at = first
        this.#notAFunction(command.args, final)
        if (first.kind === 'nil') return this.#fail('nil is not a command')
        return first.kind === 'dot' ? dot : first.value
    }
  }

  #notAFunction(args: readonly Argument[], final: Final): void {
    if (args.length > 1 || final !== MISSING) this.#fail(`can't give argument to non-function ${printNode(args[0]!)}`)
  }

  #argument(dot: Value, arg: Argument): Value {
    this.#at = arg
    switch (arg.kind) {
      case 'dot':
        return dot
      case 'nil':
        return null
      case 'bool':
      case 'number':
      case 'string':
        return arg.value
      case 'field':
        return this.#fields(dot, dot, arg, arg.path, [arg], MISSING)
      case 'variable':
        return this.#variable(dot, arg, [], MISSING)
      case 'pipeline':
        return this.#pipeline(dot, arg)
      case 'identifier':
        return this.#function(dot, arg.name, arg, arg, [arg], MISSING)
      case 'chain':
        return this.#fields(dot, this.#argument(dot, arg.node), arg, arg.path, [arg], MISSING)
      default:
        return assertNever(arg)
    }
  }

  #variable(dot: Value, node: Argument & { kind: 'variable' }, args: readonly Argument[], final: Final): Value {
    this.#at = node
    const value = this.#lookUp(node.name).value
    if (node.path.length === 0) {
      this.#notAFunction(args.length > 0 ? args : [node], final)
      return value
    }
    return this.#fields(dot, value, node, node.path, args, final)
  }

  #lookUp(name: string): Variable {
    for (let i = this.#variables.length - 1; i >= 0; i--)
      if (this.#variables[i]!.name === name) return this.#variables[i]!
    return this.#fail(`undefined variable: ${name}`)
  }

  #set(name: string, value: Value): void {
    this.#lookUp(name).value = value
  }

  #fields(
    dot: Value,
    receiver: Value,
    node: Argument,
    path: readonly string[],
    args: readonly Argument[],
    final: Final,
  ): Value {
    let value = receiver
    for (const name of path.slice(0, -1)) value = this.#field(dot, value, name, node, [], MISSING)
    return this.#field(dot, value, path.at(-1)!, node, args, final)
  }

  #field(dot: Value, receiver: Value, name: string, node: Argument, args: readonly Argument[], final: Final): Value {
    if (receiver === null) {
      if (this.#options.missingKey === 'error') this.#fail(`nil data; no entry for key ${JSON.stringify(name)}`)
      return null
    }
    const hasArguments = args.length > 1 || final !== MISSING
    const owner =
      receiver instanceof GoStruct || receiver instanceof GoMap || receiver instanceof GoList ? receiver : null
    const method = owner && Object.hasOwn(owner.methods, name) ? owner.methods[name]! : null
    if (method) {
      const values = args.slice(1).map((arg) => this.#argument(dot, arg))
      if (final !== MISSING) values.push(final)
      return this.#guarded(name, node, () => method(...values))
    }
    if (receiver instanceof GoStruct && Object.hasOwn(receiver.fields, name)) {
      if (hasArguments) this.#fail(`${name} has arguments but cannot be invoked as function`)
      return receiver.fields[name]!
    }
    if (receiver instanceof GoMap) {
      if (hasArguments) this.#fail(`${name} is not a method but has arguments`)
      const found = receiver.entries.get(name)
      if (found !== undefined) return found
      if (this.#options.missingKey === 'error') this.#fail(`map has no entry for key ${JSON.stringify(name)}`)
      return receiver.zero
    }
    return this.#fail(`can't evaluate field ${name} in type ${typeName(receiver)}`)
  }

  #function(
    dot: Value,
    name: string,
    node: Argument,
    command: Argument | Command,
    args: readonly Argument[],
    final: Final,
  ): Value {
    this.#at = node
    if (name === 'and' || name === 'or') return this.#shortCircuit(dot, name, args, final)
    const own = Object.hasOwn(this.#options.functions, name) ? this.#options.functions[name] : BUILTINS[name]
    if (!own) return this.#fail(`${JSON.stringify(name)} is not a defined function`)
    const wrongCount = checkArity(name, own, args.length - 1 + (final === MISSING ? 0 : 1))
    if (wrongCount) this.#fail(wrongCount)
    const values = args.slice(1).map((arg, i) => {
      const value = this.#argument(dot, arg)
      const isConstant = arg.kind === 'bool' || arg.kind === 'number' || arg.kind === 'string' || arg.kind === 'nil'
      const problem = isConstant ? checkConstant(own, i, value, printNode(arg)) : checkArgument(own, i, value)
      if (problem) this.#fail(problem)
      return value
    })
    if (final !== MISSING) {
      const problem = checkArgument(own, values.length, final)
      if (problem) this.#fail(problem)
      values.push(final)
    }
    return this.#guarded(name, command, () => own.call(values))
  }

  #shortCircuit(dot: Value, name: 'and' | 'or', args: readonly Argument[], final: Final): Value {
    const given = args.slice(1)
    if (given.length === 0 && final === MISSING)
      return this.#fail(`wrong number of args for ${name}: want at least 1 got 0`)
    let value: Value = null
    for (const arg of given) {
      value = this.#argument(dot, arg)
      if (isTrue(value) === (name === 'or')) return value
    }
    return final === MISSING ? value : final
  }

  #guarded(name: string, node: Argument | Command, call: () => Value): Value {
    try {
      return call()
    } catch (error) {
      if (error instanceof TemplateError || this.#options.isSignal?.(error)) throw error
      this.#at = node
      return this.#fail(`error calling ${name}: ${(error as Error).message}`)
    }
  }

  #print(value: Value): void {
    if (this.#html) this.#write(this.#html.escape(value))
    else this.#write(value === null ? '<no value>' : formatValue(value))
  }

  #write(text: string): void {
    this.output += text
    if (this.output.length > OUTPUT_MAX) this.#fail(`the output is over ${OUTPUT_MAX} characters`)
  }

  #fail(problem: string): never {
    const { name, source } = this.#definition
    const node = this.#at
    if (!node) throw new TemplateError(`template: ${name}: ${problem}`)
    const before = source.text.slice(0, node.pos)
    const lineStart = before.lastIndexOf('\n') + 1
    const line = before.split('\n').length
    const column = new TextEncoder().encode(before.slice(lineStart)).length
    const where = `${source.name}:${line}:${column}`
    throw new TemplateError(`template: ${where}: executing ${JSON.stringify(name)} at <${printNode(node)}>: ${problem}`)
  }
}
