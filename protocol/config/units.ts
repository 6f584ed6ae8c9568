/** Byte sizes as Prometheus configs and flags write them: `15MB`, `512KiB`, `1GB`; all powers of 1024. */
const FACTORS: Readonly<Record<string, number>> = {
  B: 1,
  KB: 2 ** 10,
  MB: 2 ** 20,
  GB: 2 ** 30,
  TB: 2 ** 40,
  PB: 2 ** 50,
  EB: 2 ** 60,
}

/** Semantics: alecthomas/units ParseBase2Bytes. @throws Error with upstream's text */
export function parseBytes(text: string): number {
  const [, sign, parts = ''] = /^([+-]?)([\d.][\s\S]*)$/.exec(text) ?? []
  if (parts === '0') return 0
  if (parts === '') throw new Error(`units: invalid ${text}`)
  let total = 0
  for (const [part, amount = '', unit = ''] of parts.matchAll(/(\d*\.?\d*)([^\d.]*)/g)) {
    if (part === '') break
    if (amount === '.') throw new Error(`units: invalid ${text}`)
    const factor = FACTORS[unit.replace('iB', 'B')]
    if (factor === undefined) throw new Error(`units: unknown unit ${unit} in ${text}`)
    total += Number(amount) * factor
  }
  return sign === '-' ? -total : total
}

/** For keys of our own, whose complaint can say what to write. @throws Error */
export function parseSize(text: string): number {
  if (/^[1-9]\d*$/.test(text)) throw new Error(`a size needs its unit: write ${text}B (or KB, MB, GB), got "${text}"`)
  if (text.startsWith('-')) throw new Error(`a size cannot be negative, got "${text}"`)
  return parseBytes(text)
}

const UNITS = ['', 'K', 'M', 'G', 'T', 'P', 'E'] as const

/** `1GiB512MiB`. Semantics: alecthomas/units Base2Bytes.String. @param bytes a whole number */
export function formatBytes(bytes: number): string {
  const parts: string[] = []
  let rest = bytes
  for (const [i, unit] of UNITS.entries()) {
    const n = rest % 1024
    if (n !== 0 || bytes === 0) parts.unshift(`${n}${unit}${i === 0 ? 'B' : 'iB'}`)
    rest = Math.floor(rest / 1024)
    if (rest === 0) break
  }
  return parts.join('')
}
