import { readGoFloat } from '../../protocol/exposition/mod.ts'

/**
 * Whether what a request accepts covers the compression that is expected of the answer; it need not be the most wanted.
 * Semantics: blackbox_exporter config/config.go, isCompressionAcceptEncodingValid (v0.28).
 * @example acceptsCompression('br', 'gzip, *;q=0.1') // true
 */
export function acceptsCompression(compression: string, acceptEncoding: string): boolean {
  if (compression === '' || acceptEncoding === '') return true
  const encodings = acceptEncoding.split(',').map((part) => {
    const at = part.lastIndexOf(';')
    if (at < 0) return { name: part.trim(), quality: 1 }
    const parameter = part.slice(at + 1).trim()
    const quality = readGoFloat(parameter.replace(/^q=/, ''))
    const thousandths = typeof quality === 'number' && quality > 0 ? Math.round(quality * 1000) : 0
    return { name: part.slice(0, at).trim(), quality: thousandths / 1000 }
  })
  encodings.sort((a, b) => b.quality - a.quality)
  const found = encodings.find(({ name }) => name === compression || name === '*')
  return found !== undefined && found.quality > 0
}
