/**
 * Whose metrics a push is: the job and further labels in the path. Semantics: pushgateway handler/push.go, splitLabels,
 * decodeBase64 (v1.11); prometheus/common model, UnescapeName.
 */
import { isLegacyLabelName, quote } from '../../protocol/labels/mod.ts'

export class GroupingError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'GroupingError'
  }
}

const BASE64_SUFFIX = '@base64'
const PATH = /^\/metrics\/job(@base64)?\/([^/]+)(\/.*)?$/s

/**
 * null: the path is not one of pushes.
 * @param path decoded
 * @throws GroupingError for the answer 400
 */
export function groupingLabels(path: string, options: { readonly utf8: boolean }): ReadonlyMap<string, string> | null {
  const match = PATH.exec(path)
  if (!match) return null
  let job = match[2]!
  if (match[1] !== undefined) {
    try {
      job = decodeBase64(job)
    } catch (error) {
      // As upstream: the name is forgotten by then.
      throw new GroupingError(`invalid base64 encoding in job name "": ${(error as Error).message}`)
    }
  }
  const labels = splitLabels(match[3] ?? '', options)
  if (job === '') throw new GroupingError('job name is required')
  return new Map([...labels, ['job', job]])
}

/** @param text `/name/value/…`, or empty @throws GroupingError */
export function splitLabels(text: string, { utf8 }: { readonly utf8: boolean }): ReadonlyMap<string, string> {
  const labels = new Map<string, string>()
  if (text.length <= 1) return labels
  const parts = text.slice(1).split('/')
  if (parts.length % 2 !== 0) throw new GroupingError(`odd number of components in label string ${quote(text)}`)
  for (let i = 0; i < parts.length; i += 2) {
    const isEncoded = parts[i]!.endsWith(BASE64_SUFFIX)
    const written = isEncoded ? parts[i]!.slice(0, -BASE64_SUFFIX.length) : parts[i]!
    const name = utf8 ? unescapeName(written) : written
    const isValid = utf8 ? name !== '' && name.isWellFormed() : isLegacyLabelName(name)
    if (!isValid || written.startsWith('__')) throw new GroupingError(`improper label name ${quote(written)}`)
    labels.set(name, isEncoded ? decodedValue(written, parts[i + 1]!) : parts[i + 1]!)
  }
  return labels
}

function decodedValue(name: string, value: string): string {
  try {
    return decodeBase64(value)
  } catch (error) {
    throw new GroupingError(`invalid base64 encoding for label ${name}=${quote(value)}: ${(error as Error).message}`)
  }
}

/** Of the alphabet for URLs; padding says nothing. */
export function decodeBase64(text: string): string {
  const bare = text.replace(/=+$/, '')
  const bad = /[^A-Za-z0-9_-]/.exec(bare)
  if (bad || bare.length % 4 === 1)
    throw new Error(`illegal base64 data at input byte ${bad?.index ?? bare.length - 1}`)
  const binary = atob(bare.replaceAll('-', '+').replaceAll('_', '/'))
  const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0))
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new Error('not UTF-8')
  }
}

/** `U__a_2e_b` is `a.b`; what is not escaped this way stays. @example unescapeName('U__a__b') // 'a_b' */
export function unescapeName(name: string): string {
  if (!name.startsWith('U__')) return name
  let isBroken = false
  const out = name.slice(3).replace(/_([^_]*)_|_/g, (whole, code: string | undefined) => {
    if (code === '') return '_'
    const point = code !== undefined && /^[\da-fA-F]{1,6}$/.test(code) ? Number.parseInt(code, 16) : -1
    if (point < 0 || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
      isBroken = true
      return whole
    }
    return String.fromCodePoint(point)
  })
  return isBroken ? name : out
}
