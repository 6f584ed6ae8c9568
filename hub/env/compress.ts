/** Compressed answers, on the runtime's thread pool. */
import { promisify } from 'node:util'
import { constants, gzip, zstdCompress } from 'node:zlib'

const gzipAsync = promisify(gzip)
const zstdAsync = promisify(zstdCompress)

export type Encoding = 'gzip' | 'zstd'

/** gzip at level 4: most of the gain for half of the time. */
export async function compressBytes(bytes: Uint8Array, encoding: Encoding): Promise<Uint8Array> {
  if (encoding === 'gzip') return gzipAsync(bytes, { level: 4 })
  return zstdAsync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 3 } })
}
