/**
 * What one query thread leaves for another in shared memory, as structured clones are written: a message would have to go
 * through the main thread, or through a port that only a turning event loop ever frees, which query workers have not.
 *
 *     length of the bytes, 4 bytes | bytes
 */
import v8 from 'node:v8'

const HEADER_BYTES = 8

/** False: it is too large, and nothing was left. */
export function putMail(mailbox: SharedArrayBuffer, message: unknown): boolean {
  const bytes = v8.serialize(message)
  if (HEADER_BYTES + bytes.length > mailbox.byteLength) return false
  new Uint32Array(mailbox, 0, 1)[0] = bytes.length
  new Uint8Array(mailbox, HEADER_BYTES).set(bytes)
  return true
}

/** Its columns are the caller's. */
export function takeMail(mailbox: SharedArrayBuffer): unknown {
  const length = new Uint32Array(mailbox, 0, 1)[0]!
  // V8 reads no shared memory.
  return v8.deserialize(new Uint8Array(mailbox, HEADER_BYTES, length).slice())
}
