/** 64-bit FNV-1a: spreads targets over their interval, names them. Not for hot paths. */
const PRIME = 0x100000001b3n
const MASK = 0xffffffffffffffffn

export function fnv64(text: string): bigint {
  let hash = 0xcbf29ce484222325n
  for (const byte of new TextEncoder().encode(text)) hash = ((hash ^ BigInt(byte)) * PRIME) & MASK
  return hash
}

export const hex64 = (value: bigint): string => value.toString(16).padStart(16, '0')
