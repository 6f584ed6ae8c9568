/** Smaller ones may have no buffer of their own, and are collected soon enough. */
const WORTH_BYTES = 2048

/**
 * Frees the memory of bytes that nobody will read again. Collectors count the small head of an array rather than what is
 * behind it, so an endless body would leave tens of megabytes before they look. Bytes that are a part of a larger buffer
 * are left alone.
 */
export function freeBytes(bytes: Uint8Array): void {
  if (bytes.length < WORTH_BYTES) return
  const { buffer } = bytes
  if (buffer.byteLength === bytes.length && buffer instanceof ArrayBuffer) buffer.transfer(0)
}
