/** Which answers are compressed, and how. */

const FROM_BYTES = 1400
/** Events are sent as they come. */
const TEXTS = /json|text(?!\/event-stream)|javascript|svg|arrow|google\.protobuf/

export type Encoding = 'gzip' | 'zstd'

/**
 * Whether the answer depends on the header, and what it is packed with; null: as it is.
 * @param accepted the header `accept-encoding`
 */
export function packingOf(
  accepted: string,
  contentType: string,
  length: number,
): { readonly isNegotiated: boolean; readonly encoding: Encoding | null } {
  const encoding = accepted === '' ? null : acceptedEncoding(accepted)
  const isNegotiated = encoding !== null && TEXTS.test(contentType)
  return { isNegotiated, encoding: isNegotiated && length >= FROM_BYTES ? encoding : null }
}

/** zstd where it is taken, else gzip; `q=0` refuses. */
export function acceptedEncoding(header: string): Encoding | null {
  const taken = new Set<string>()
  for (const part of header.toLowerCase().split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim())
    if (!parameters.some((text) => /^q=0(?:\.0*)?$/.test(text))) taken.add(name)
  }
  return taken.has('zstd') ? 'zstd' : taken.has('gzip') || taken.has('*') ? 'gzip' : null
}
