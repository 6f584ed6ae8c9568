/**
 * The memcached exporter: a server's statistics under the names, labels and helps of Prometheus's
 * memcached_exporter, over TCP, TLS or a unix socket. Semantics: memcached_exporter (v0.16).
 */
import type { ByteSocket, Clock, Disk, Logger, Net, TlsOptions } from '../../protocol/env/mod.ts'
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import {
  booleanFlag,
  durationFlag,
  type Exporter,
  FlagError,
  type Flags,
  ParameterError,
  refuseUnknownFlags,
  stringFlag,
} from '../contract.ts'
import { textExchange } from '../exchange.ts'
import { pidFileFamilies } from '../process.ts'
import { bySlab, isCompleteAnswer, parseStats, type Stats } from './answers.ts'
import { memcachedDown, memcachedFamilies } from './families.ts'

export { bySlab, MemcachedAnswerError, parseStats, type SlabStats, type Stats } from './answers.ts'
export { type MemcachedPage, memcachedFamilies } from './families.ts'

export type MemcachedOptions = {
  readonly net: Pick<Net, 'connectTcp' | 'connectUnix'>
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Logger
  readonly flags: Flags
}

const FLAGS = [
  'memcached.address',
  'memcached.timeout',
  'memcached.pid-file',
  'memcached.tls.enable',
  'memcached.tls.cert-file',
  'memcached.tls.key-file',
  'memcached.tls.ca-file',
  'memcached.tls.insecure-skip-verify',
  'memcached.tls.server-name',
]
/** Some 20 statistics for each of at most 64 slab classes are far below. */
const MAX_ANSWER_BYTES = 4 * 2 ** 20

/** @throws FlagError for a flag it does not know or cannot use */
export function createMemcachedExporter({ net, disk, clock, log, flags }: MemcachedOptions): Exporter {
  refuseUnknownFlags(flags, FLAGS)
  const address = stringFlag(flags, 'memcached.address', 'localhost:11211')
  const timeoutMs = durationFlag(flags, 'memcached.timeout', 1000)
  const pidFile = stringFlag(flags, 'memcached.pid-file', '')
  const tls = booleanFlag(flags, 'memcached.tls.enable', false) ? tlsOptions(disk, flags) : null
  checkAddress(address, 'memcached.address')
  let complained = ''

  async function scrape(target: string): Promise<readonly MetricFamily[]> {
    try {
      const { families, errors } = await statsOf(await connect(target), { clock, timeoutMs })
      if (errors.length > 0) complain(target, errors.join('; '))
      else complained = ''
      return families
    } catch (error) {
      complain(target, (error as Error).message)
      return memcachedDown()
    }
  }

  /** Once per outage, not once per scrape. */
  function complain(target: string, problem: string): void {
    if (complained === problem) return
    complained = problem
    log.error('Failed to collect stats from memcached', { target, err: problem })
  }

  function connect(target: string): Promise<ByteSocket> {
    if (target.includes('/')) return net.connectUnix(target.replace(/^unix:(?:\/\/)?/, ''), { timeoutMs })
    const at = target.lastIndexOf(':')
    const host = target.slice(0, at).replace(/^\[(.*)\]$/, '$1')
    return net.connectTcp({ host, port: Number(target.slice(at + 1)) }, { timeoutMs, ...(tls ? { tls } : {}) })
  }

  return {
    name: 'memcached',
    program: {
      namespace: 'memcached_exporter',
      title: 'Memcached Exporter',
      about: 'Prometheus Exporter for Memcached servers',
    },
    async collect() {
      const families = await scrape(address)
      return pidFile === '' ? families : [...families, ...pidFileFamilies(disk, 'memcached', pidFile)]
    },
    async probe(parameters) {
      const target = parameters.get('target') ?? ''
      if (target === '') throw new ParameterError("'target' parameter must be specified")
      try {
        checkAddress(target, 'target')
      } catch (error) {
        throw new ParameterError((error as Error).message)
      }
      return scrape(target)
    },
    close: async () => {},
  }
}

async function statsOf(socket: ByteSocket, options: { readonly clock: Clock; readonly timeoutMs: number }) {
  const exchange = textExchange(socket, options.clock, { timeoutMs: options.timeoutMs, maxBytes: MAX_ANSWER_BYTES })
  const ask = async (command: string): Promise<Stats> =>
    parseStats(command, await exchange.ask(`${command}\r\n`, isCompleteAnswer))
  try {
    const stats = await ask('stats')
    const slabs = bySlab(await ask('stats slabs'))
    const items = bySlab(await ask('stats items'))
    // Proxies and old servers refuse this one; what they did say still counts.
    const settings = await ask('stats settings').catch(() => null)
    return memcachedFamilies(stats, settings, items, slabs)
  } finally {
    exchange.close()
  }
}

function checkAddress(address: string, flag: string): void {
  if (!address.includes('/') && !/^(?:\[[^\]]+\]|[^:]+):\d{1,5}$/.test(address))
    throw new FlagError(flag, `must be HOST:PORT or the path of a unix socket, got "${address}"`)
}

function tlsOptions(disk: Disk, flags: Flags): TlsOptions {
  const file = (name: string): string | undefined => {
    const path = stringFlag(flags, `memcached.tls.${name}-file`, '')
    try {
      return path === '' ? undefined : disk.readText(path)
    } catch (error) {
      throw new FlagError(`memcached.tls.${name}-file`, `cannot read "${path}": ${(error as Error).message}`)
    }
  }
  const [ca, cert, key] = [file('ca'), file('cert'), file('key')]
  const serverName = stringFlag(flags, 'memcached.tls.server-name', '')
  return {
    insecureSkipVerify: booleanFlag(flags, 'memcached.tls.insecure-skip-verify', false),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === '' ? {} : { serverName }),
  }
}
