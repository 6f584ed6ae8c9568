/** Production adapters of `protocol/env`: the only place (with `hub/env`) that touches the runtime. */
import type { Env, Logger, LogLevel } from '../../protocol/env/mod.ts'
import { systemClock } from './clock.ts'
import { nodeDisk } from './disk.ts'
import { systemKernel } from './kernel.ts'
import { createLogger, type LogFormat } from './logger.ts'
import { createNet } from './net.ts'
import type { OnShortQueue } from './net-datagrams.ts'
import { threadPool } from './pool.ts'
import { systemRandom } from './random.ts'

export { systemClock } from './clock.ts'
export { nodeDisk } from './disk.ts'
export { runtimeSigner, runtimeVerifier } from './ed25519.ts'
export { systemKernel } from './kernel.ts'
export { createLogger, type LogFormat, type LoggerOptions } from './logger.ts'
export { createNet } from './net.ts'
export { threadPool } from './pool.ts'
export { systemRandom } from './random.ts'
export { collectYoungAlone, keepYoungSpaceSmall } from './young-space.ts'

export function createEnv(options: { readonly logLevel: LogLevel; readonly logFormat: LogFormat }): Env {
  const log = createLogger({ level: options.logLevel, format: options.logFormat, now: systemClock.now })
  return {
    clock: systemClock,
    random: systemRandom,
    disk: nodeDisk,
    net: createNet({
      onHandlerError: (err, request) => log.error('A request could not be served', { request, err }),
      onShortQueue: shortQueueWarning(log),
    }),
    pool: threadPool,
    log,
    kernel: systemKernel,
  }
}

/** Once a process: what helps is the host's, not a socket's. */
export function shortQueueWarning(log: Logger): OnShortQueue {
  let isSaid = false
  return ({ bytes, wantedBytes }) => {
    if (isSaid) return
    isSaid = true
    log.warn('The kernel keeps few of the datagrams that come at once, and drops the others', {
      bytes,
      wantedBytes,
      fix: `sysctl -w net.core.rmem_max=${wantedBytes / 2}, and the same in /etc/sysctl.d for the next start`,
    })
  }
}
