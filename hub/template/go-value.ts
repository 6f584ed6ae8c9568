/** Values of test data: JSON with the Go type that it stands for, as the conformance kit writes them. */
import { goTime } from './time.ts'
import { GoList, GoMap, type Value } from './values.ts'

type GoNumber = { readonly $number: string }

/** JSON as the Go type named. */
export function goValue(data: unknown, type: string): Value {
  if (data === undefined || data === null) return null
  if (Array.isArray(data)) {
    const item = type.replace(/^\[\]/, '')
    return new GoList(
      data.map((each) => goValue(each, item)),
      type || '[]interface {}',
    )
  }
  if (typeof data === 'number')
    return /^u?int/.test(type) || (!type.startsWith('float') && Number.isInteger(data)) ? BigInt(data) : data
  if (typeof data !== 'object') return data as string | boolean
  if ('$number' in data) return specialNumber((data as GoNumber).$number, type)
  if ('$time' in data) return goTime(BigInt(Date.parse((data as { $time: string }).$time)) * 1_000_000n)
  const isStrings = type === 'map[string]string'
  return new GoMap(
    Object.entries(data).map(([name, each]) => [name, goValue(each, '')] as const),
    { typeName: type || 'map[string]interface {}', zero: isStrings ? '' : null },
  )
}

function specialNumber(text: string, type: string): Value {
  if (/^u?int/.test(type)) return BigInt(text)
  return text === 'NaN' ? Number.NaN : text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
}
