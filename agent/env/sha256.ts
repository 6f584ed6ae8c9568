/** SHA-256 of the runtime, behind the interface of protocol/batch. */
import { hash } from 'node:crypto'
import type { Hasher } from '../../protocol/batch/mod.ts'

export const runtimeSha256: Hasher = { sha256: (bytes) => new Uint8Array(hash('sha256', bytes, 'buffer')) }
