/**
 * What the transport answers to a publish. Semantics: NATS JetStream's PubAck (ADR-1, io.nats.jetstream.api.v1
 * pub_ack_response). It says that the transport took the batch, for flow control only: it frees nothing.
 */
export type PubAck =
  | { readonly kind: 'taken'; readonly duplicate: boolean }
  | { readonly kind: 'error'; readonly code: number; readonly message: string }

export function parsePubAck(payload: Uint8Array): PubAck {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder().decode(payload))
  } catch {
    value = null
  }
  if (typeof value !== 'object' || value === null) return error(0, 'the answer to a publish is not a PubAck')
  const { stream, seq, duplicate, error: failure } = value as Record<string, unknown>
  if (typeof failure === 'object' && failure !== null) {
    const { code, description } = failure as Record<string, unknown>
    return error(typeof code === 'number' ? code : 0, typeof description === 'string' ? description : 'unknown error')
  }
  if (typeof stream !== 'string' || typeof seq !== 'number') return error(0, 'the answer to a publish names no stream')
  return { kind: 'taken', duplicate: duplicate === true }
}

const error = (code: number, message: string): PubAck => ({ kind: 'error', code, message })
