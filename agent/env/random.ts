/** Cryptographic randomness of the runtime. */
import { randomBytes } from 'node:crypto'
import type { Random } from '../../protocol/env/mod.ts'

export const systemRandom: Random = {
  bytes: (count) => new Uint8Array(randomBytes(count)),
  float() {
    const bytes = randomBytes(7)
    // 53 bits, the precision of a double in [0, 1).
    return bytes.readUIntBE(0, 6) / 2 ** 48 + (bytes[6]! & 31) / 2 ** 53
  },
}
