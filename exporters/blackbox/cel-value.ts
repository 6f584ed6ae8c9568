/** What expressions of CEL compute with: JSON, integers as bigints, and the kinds that JSON has not. */
export type CelValue =
  | null
  | boolean
  | bigint
  | number
  | string
  | CelTimestamp
  | CelDuration
  | CelBytes
  | CelType
  | readonly CelValue[]
  | { readonly [key: string]: CelValue }

export class CelTimestamp {
  readonly ns: bigint
  constructor(ns: bigint) {
    this.ns = ns
  }
}

export class CelDuration {
  readonly ns: bigint
  constructor(ns: bigint) {
    this.ns = ns
  }
}

export class CelBytes {
  readonly bytes: Uint8Array
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}

export class CelType {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

export type CelMap = { readonly [key: string]: CelValue }

export function isMap(value: CelValue): value is CelMap {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && !isOwnKind(value)
}

export const isNumber = (value: CelValue): value is bigint | number =>
  typeof value === 'bigint' || typeof value === 'number'

function isOwnKind(value: object): boolean {
  return (
    value instanceof CelTimestamp ||
    value instanceof CelDuration ||
    value instanceof CelBytes ||
    value instanceof CelType
  )
}

/** Names of types, as an expression may write them. */
export const TYPE_NAMES = [
  'bool',
  'int',
  'uint',
  'double',
  'string',
  'bytes',
  'list',
  'map',
  'null_type',
  'type',
] as const

export function typeOf(value: CelValue): string {
  if (value === null) return 'null_type'
  if (value instanceof CelTimestamp) return 'google.protobuf.Timestamp'
  if (value instanceof CelDuration) return 'google.protobuf.Duration'
  if (value instanceof CelBytes) return 'bytes'
  if (value instanceof CelType) return 'type'
  if (Array.isArray(value)) return 'list'
  const names: Readonly<Record<string, string>> = {
    boolean: 'bool',
    bigint: 'int',
    number: 'double',
    string: 'string',
  }
  return names[typeof value] ?? 'map'
}
