/**
 * WebAssembly from its text, at run time: as much of the text format as kernels need, which is functions over integers,
 * doubles and one memory, with instructions folded as `(i32.add (local.get $a) (i32.const 1))`. Neither a tool nor a
 * compiled file stands between the source and what runs.
 *
 * Semantics: WebAssembly core specification, text and binary formats.
 *
 *     (memory (export "memory") 2)
 *     (func $twice (export "twice") (param $n i32) (result i32) (i32.add (local.get $n) (local.get $n)))
 */

type Expr = string | readonly Expr[]
type List = readonly Expr[]

const TYPES: Readonly<Record<string, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c }

/** Instructions without anything but operands, in the order of their codes. */
const RUNS: readonly (readonly [first: number, names: string])[] = [
  [0x45, 'i32.eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u'],
  [0x50, 'i64.eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u'],
  [0x61, 'f64.eq ne lt gt le ge'],
  [0x67, 'i32.clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr'],
  [0x79, 'i64.clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr'],
  [0x99, 'f64.abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign'],
]
const OPS = new Map<string, number>([
  ['drop', 0x1a],
  ['select', 0x1b],
  ['return', 0x0f],
  ['unreachable', 0x00],
  ['i32.wrap_i64', 0xa7],
  ['i64.extend_i32_s', 0xac],
  ['i64.extend_i32_u', 0xad],
  ['i64.reinterpret_f64', 0xbd],
])
for (const [first, names] of RUNS) {
  const [head, ...rest] = names.split(' ') as [string, ...string[]]
  const [type] = head.split('.')
  OPS.set(head, first)
  rest.forEach((name, i) => void OPS.set(`${type}.${name}`, first + 1 + i))
}
/** Code, and log2 of the bytes. */
const MEMORY_OPS: Readonly<Record<string, readonly [code: number, align: number]>> = {
  'i32.load': [0x28, 2],
  'i64.load': [0x29, 3],
  'f64.load': [0x2b, 3],
  'i32.load8_u': [0x2d, 0],
  'i32.load16_u': [0x2f, 1],
  'i32.store': [0x36, 2],
  'i64.store': [0x37, 3],
  'f64.store': [0x39, 3],
  'i32.store8': [0x3a, 0],
  'i32.store16': [0x3b, 1],
}
const MEMORY_COPY = [0xfc, 0x0a, 0x00, 0x00]
const EMPTY_BLOCK = 0x40
const END = 0x0b

type Func = {
  readonly exported: string | null
  readonly params: readonly number[]
  readonly results: readonly number[]
  readonly locals: readonly number[]
  readonly names: ReadonlyMap<string, number>
  readonly body: List
}

/** The bytes of a module. @throws Error on what it does not know */
export function assemble(text: string): Uint8Array<ArrayBuffer> {
  const fields = parse(text)
  const functions = new Map<string, number>()
  const funcs: Func[] = []
  let memory: { readonly exported: string | null; readonly pages: number } | null = null
  for (const field of fields) {
    const [kind, ...rest] = listOf(field)
    if (kind === 'memory') memory = memoryOf(rest)
    else if (kind === 'func') {
      functions.set(wordOf(rest[0]), funcs.length)
      funcs.push(funcOf(rest.slice(1)))
    } else throw new Error(`Cannot assemble a field of kind "${String(kind)}"`)
  }
  const exported = funcs.flatMap((func, i) => (func.exported === null ? [] : [[func.exported, 0, i] as const]))
  if (memory?.exported) exported.push([memory.exported, 2, 0] as never)
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(
      1,
      funcs.map(({ params, results }) => [0x60, ...vector(params.map(one)), ...vector(results.map(one))]),
    ),
    ...section(
      3,
      funcs.map((_, i) => unsigned(i)),
    ),
    ...section(5, memory === null ? [] : [[0x00, ...unsigned(memory.pages)]]),
    ...section(
      7,
      exported.map(([name, kind, index]) => [...bytesOf(name), kind, ...unsigned(index)]),
    ),
    ...section(
      10,
      funcs.map((func) => codeOf(func, functions)),
    ),
  ])
}

const one = (byte: number): number[] => [byte]

function memoryOf(rest: List): { readonly exported: string | null; readonly pages: number } {
  const name = exportOf(rest[0])
  return { exported: name, pages: Number(wordOf(rest[name === null ? 0 : 1])) }
}

function funcOf(rest: List): Func {
  const params: number[] = []
  const results: number[] = []
  const locals: number[] = []
  const names = new Map<string, number>()
  let exported: string | null = null
  let at = 0
  for (; at < rest.length; at++) {
    const [kind, ...of] = listOf(rest[at]!)
    if (kind === 'export') exported = exportOf(rest[at]!)
    else if (kind === 'result') results.push(typeOf(of[0]))
    else if (kind === 'param' || kind === 'local') {
      names.set(wordOf(of[0]), params.length + locals.length)
      ;(kind === 'param' ? params : locals).push(typeOf(of[1]))
    } else break
  }
  return { exported, params, results, locals, names, body: rest.slice(at) }
}

function codeOf({ locals, names, body }: Func, functions: ReadonlyMap<string, number>): number[] {
  const labels: string[] = []
  const out: number[] = []
  const emitAll = (list: List): void => list.forEach(emit)
  const labelled = (name: string, code: number, inside: () => void): void => {
    labels.push(name)
    out.push(code, EMPTY_BLOCK)
    inside()
    out.push(END)
    labels.pop()
  }
  const emit = (expr: Expr): void => {
    const [head, ...rest] = typeof expr === 'string' ? [expr] : expr
    const op = wordOf(head)
    const simple = OPS.get(op)
    const ofMemory = MEMORY_OPS[op]
    if (simple !== undefined) {
      emitAll(rest)
      out.push(simple)
    } else if (ofMemory !== undefined) {
      const offset = typeof rest[0] === 'string' ? Number(rest[0].replace('offset=', '')) : 0
      emitAll(typeof rest[0] === 'string' ? rest.slice(1) : rest)
      out.push(ofMemory[0], ofMemory[1], ...unsigned(offset))
    } else if (op === 'memory.copy') {
      emitAll(rest)
      out.push(...MEMORY_COPY)
    } else if (op === 'i32.const') out.push(0x41, ...signed(BigInt.asIntN(32, BigInt(wordOf(rest[0])))))
    else if (op === 'i64.const') out.push(0x42, ...signed(BigInt.asIntN(64, BigInt(wordOf(rest[0])))))
    else if (op === 'local.get' || op === 'local.set' || op === 'local.tee') {
      emitAll(rest.slice(1))
      out.push(0x20 + ['local.get', 'local.set', 'local.tee'].indexOf(op), ...unsigned(indexOf(names, rest[0])))
    } else if (op === 'call') {
      emitAll(rest.slice(1))
      out.push(0x10, ...unsigned(indexOf(functions, rest[0])))
    } else if (op === 'block' || op === 'loop')
      labelled(wordOf(rest[0]), op === 'block' ? 0x02 : 0x03, () => emitAll(rest.slice(1)))
    else if (op === 'br' || op === 'br_if') {
      emitAll(rest.slice(1))
      const depth = labels.toReversed().indexOf(wordOf(rest[0]))
      if (depth < 0) throw new Error(`Cannot assemble a branch to "${wordOf(rest[0])}": it is not around it`)
      out.push(op === 'br' ? 0x0c : 0x0d, ...unsigned(depth))
    } else if (op === 'if') {
      emit(rest[0]!)
      const [then, other] = [listOf(rest[1]!), rest[2] === undefined ? null : listOf(rest[2])]
      labelled('', 0x04, () => {
        emitAll(then.slice(1))
        if (other === null) return
        out.push(0x05)
        emitAll(other.slice(1))
      })
    } else throw new Error(`Cannot assemble the instruction "${op}"`)
  }
  emitAll(body)
  const declared = vector(locals.map((type) => [...unsigned(1), type]))
  const code = [...declared, ...out, END]
  return [...unsigned(code.length), ...code]
}

function parse(text: string): List {
  const tokens = text.replaceAll(/;;.*/g, '').match(/[()]|"[^"]*"|[^\s()"]+/g) ?? []
  const stack: Expr[][] = [[]]
  for (const token of tokens) {
    if (token === '(') stack.push([])
    else if (token === ')') {
      const done = stack.pop()!
      if (stack.length === 0) throw new Error('Cannot assemble: a bracket closes what was not opened')
      stack.at(-1)!.push(done)
    } else stack.at(-1)!.push(token)
  }
  if (stack.length !== 1) throw new Error('Cannot assemble: a bracket is not closed')
  return stack[0]!
}

function listOf(expr: Expr): List {
  if (typeof expr === 'string') throw new Error(`Cannot assemble "${expr}": a list is wanted there`)
  return expr
}

function wordOf(expr: Expr | undefined): string {
  if (typeof expr !== 'string') throw new Error('Cannot assemble a list: a word is wanted there')
  return expr
}

function typeOf(expr: Expr | undefined): number {
  const type = TYPES[wordOf(expr)]
  if (type === undefined) throw new Error(`Cannot assemble the type "${wordOf(expr)}"`)
  return type
}

function indexOf(names: ReadonlyMap<string, number>, name: Expr | undefined): number {
  const index = names.get(wordOf(name))
  if (index === undefined) throw new Error(`Cannot assemble: "${wordOf(name)}" is not known`)
  return index
}

/** Null when it is no `(export "name")`. */
function exportOf(expr: Expr | undefined): string | null {
  if (expr === undefined || typeof expr === 'string' || expr[0] !== 'export') return null
  return wordOf(expr[1]).slice(1, -1)
}

function section(id: number, items: readonly (readonly number[])[]): number[] {
  const body = vector(items)
  return items.length === 0 ? [] : [id, ...unsigned(body.length), ...body]
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()]
}

function bytesOf(name: string): number[] {
  return [...unsigned(name.length), ...new TextEncoder().encode(name)]
}

/** LEB128. */
function unsigned(value: number): number[] {
  const out: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) out.push((rest % 128) | 0x80)
  out.push(rest)
  return out
}

function signed(value: bigint): number[] {
  const out: number[] = []
  let rest = value
  for (;;) {
    const byte = Number(rest & 0x7fn)
    rest >>= 7n
    if ((rest === 0n && byte < 0x40) || (rest === -1n && byte >= 0x40)) return [...out, byte]
    out.push(byte | 0x80)
  }
}
