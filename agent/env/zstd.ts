/** zstd of the runtime, behind the interface of protocol/batch. */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { Compressor } from '../../protocol/batch/mod.ts'

/** Output is inflated into chunks of this size at first: most batches fit into one, none can reserve more by a claim. */
const CHUNK_BYTES = 128 * 1024

export const runtimeZstd: Compressor = {
  compress(bytes, level) {
    return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: level } })
  },
  decompress(bytes, maxBytes) {
    return zstdDecompressSync(bytes, {
      maxOutputLength: Math.max(1, maxBytes),
      chunkSize: Math.max(1024, Math.min(maxBytes + 1, CHUNK_BYTES)),
    })
  },
}
