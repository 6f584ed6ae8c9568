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
  const match = /^([+-]?)((?:[\d.]+\s*[A-Za-z]*\s*)+)$/.exec(text.trim())
  if (text.trim() === '0') return 0
  if (!match) throw new Error(`units: invalid ${text}`)
  let total = 0
  for (const [, amount = '', unit = ''] of match[2]!.matchAll(/([\d.]+)\s*([A-Za-z]*)/g)) {
    const factor = FACTORS[unit.replace('iB', 'B')]
    if (factor === undefined) throw new Error(`units: unknown unit ${unit} in ${text}`)
    total += Number(amount) * factor
  }
  return match[1] === '-' ? -total : total
}
