/** Production adapters of `protocol/env`: the only place (with `hub/env`) that touches the runtime. */
import type { Env, LogLevel } from '../../protocol/env/mod.ts'
import { systemClock } from './clock.ts'
import { nodeDisk } from './disk.ts'
import { systemKernel } from './kernel.ts'
import { createLogger, type LogFormat } from './logger.ts'
import { createNet } from './net.ts'
import { threadPool } from './pool.ts'
import { systemRandom } from './random.ts'

export { keepYoungSpaceSmall } from './buffer-garbage.ts'
export { systemClock } from './clock.ts'
export { nodeDisk } from './disk.ts'
export { runtimeSigner, runtimeVerifier } from './ed25519.ts'
export { systemKernel } from './kernel.ts'
export { createLogger, type LogFormat, type LoggerOptions } from './logger.ts'
export { createNet } from './net.ts'
export { threadPool } from './pool.ts'
export { systemRandom } from './random.ts'

export function createEnv(options: { readonly logLevel: LogLevel; readonly logFormat: LogFormat }): Env {
  const log = createLogger({ level: options.logLevel, format: options.logFormat, now: systemClock.now })
  return {
    clock: systemClock,
    random: systemRandom,
    disk: nodeDisk,
    net: createNet({ onHandlerError: (err, request) => log.error('A request could not be served', { request, err }) }),
    pool: threadPool,
    log,
    kernel: systemKernel,
  }
}
