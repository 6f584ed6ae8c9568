/**
 * The graphite exporter: samples of Graphite's plaintext protocol, over TCP and UDP, under the names, mappings and
 * self-metrics of graphite_exporter. `start` opens what the flags name. Semantics: graphite_exporter (v0.17).
 */
import type { Clock, DatagramListener, Disk, Listener, Logger, Net } from '../../protocol/env/mod.ts'
import { counter, gauge, type Metric, type MetricFamily } from '../../protocol/exposition/mod.ts'
import {
  booleanFlag,
  durationFlag,
  type Exporter,
  FlagError,
  type Flags,
  integerFlag,
  refuseUnknownFlags,
  stringFlag,
} from '../contract.ts'
import { addressOf, emptyMappingConfig, loadMappingConfig, Mapper, mapperFamilies } from '../statsd/mod.ts'
import { readLine, splitTags } from './line.ts'
import { type FindMapping, GraphiteStore } from './store.ts'
import { GraphiteStream, type LineSink, readLines } from './stream.ts'

export type GraphiteOptions = {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Logger
  readonly flags: Flags
  /** Absent: nothing is listened on. */
  readonly net?: Pick<Net, 'listenTcp' | 'listenDatagrams'>
}

export interface GraphiteExporter extends Exporter {
  /** Lines as they come, from whatever transport. */
  handleText(bytes: Uint8Array): void
  start(): Promise<void>
  reload(): void
  /** Where lines come in once it has started; '' for nowhere. */
  addresses(): { readonly udp: string; readonly tcp: string }
}

const FLAGS = [
  'graphite.listen-address',
  'graphite.mapping-config',
  'graphite.sample-expiry',
  'graphite.mapping-strict-match',
  'graphite.cache-size',
  'graphite.cache-type',
  'heliograph.max-series',
]
/** Upstream has no bound: a client that puts request ids into names takes the host down. */
const DEFAULT_MAX_SERIES = 200_000

type Refusal = 'parts' | 'value' | 'timestamp' | 'encoding' | 'too_long'

/** @throws FlagError for a flag it does not know or cannot use, or a mapping file that cannot be read */
export function createGraphiteExporter({ disk, clock, log, flags, net }: GraphiteOptions): GraphiteExporter {
  refuseUnknownFlags(flags, FLAGS)
  const listen = addressOf('graphite.listen-address', stringFlag(flags, 'graphite.listen-address', ':9109'))
  const expiryMs = durationFlag(flags, 'graphite.sample-expiry', 300_000)
  const file = stringFlag(flags, 'graphite.mapping-config', '')
  const cacheSize = cacheSizeOf(flags)
  let mapper = new Mapper(emptyMappingConfig(), { cacheSize })
  if (file !== '') {
    try {
      mapper = load()
    } catch (error) {
      throw new FlagError('graphite.mapping-config', (error as Error).message)
    }
  }
  const store = new GraphiteStore(
    {
      strictMatch: booleanFlag(flags, 'graphite.mapping-strict-match', false),
      expiryMs,
      maxSeries: integerFlag(flags, 'heliograph.max-series', DEFAULT_MAX_SERIES),
    },
    mappingOf(mapper),
  )
  const refused: Record<Refusal, number> = { parts: 0, value: 0, timestamp: 0, encoding: 0, too_long: 0 }
  let lastProcessedMs = 0
  let sockets: GraphiteSockets | null = null

  function load(): Mapper {
    return new Mapper(loadMappingConfig(disk.readText(file), file), { cacheSize })
  }

  const sink: LineSink = {
    line(line) {
      const reading = readLine(line)
      if (typeof reading === 'string') {
        refused[reading]++
        // Tags are read before values.
        if (reading !== 'parts') store.tagFailures += splitTags(line.trim().split(' ')[0]!).badTags
        log.debug('Invalid line', { fault: reading, line: line.slice(0, 200) })
        return
      }
      const nowMs = clock.now()
      if (store.set(reading, nowMs)) lastProcessedMs = nowMs
    },
    garbled: () => void refused.encoding++,
    tooLong: () => void refused.too_long++,
  }

  return {
    name: 'graphite',
    program: {
      namespace: 'graphite_exporter',
      title: 'Graphite Exporter',
      about: 'Prometheus Exporter for metrics that are sent as Graphite plaintext',
    },
    handleText: (bytes) => readLines(bytes, sink),
    async start() {
      if (net) sockets = await openSockets(net, listen, sink, log)
    },
    addresses: () => sockets?.addresses ?? { udp: '', tcp: '' },
    reload() {
      if (file === '') return
      mapper = load()
      store.remap(mappingOf(mapper))
      log.info('Reloaded the mapping file', { file, mappings: mapper.config.mappings.length })
    },
    async collect() {
      // What came before the scrape belongs to it.
      await sockets?.look()
      const { tagFailures, refusedSeries } = store
      const own = selfFamilies({ tagFailures, refusedSeries, refused, lastProcessedMs, expiryMs, mapper })
      const ownNames = new Set(own.map(({ name }) => name))
      // A client may call its metric as one of ours.
      return [...store.families(clock.now()).filter(({ name }) => !ownNames.has(name)), ...own]
    },
    close: async () => {
      await sockets?.close()
      sockets = null
    },
  }
}

/** Least recently used leaves first, whichever of upstream's two kinds is named. */
function cacheSizeOf(flags: Flags): number {
  const type = stringFlag(flags, 'graphite.cache-type', 'lru')
  if (type !== 'lru' && type !== 'random')
    throw new FlagError('graphite.cache-type', `must be lru or random, got "${type}"`)
  return integerFlag(flags, 'graphite.cache-size', 1000)
}

function mappingOf(mapper: Mapper): FindMapping {
  return (name) => {
    const found = mapper.find(name, 'gauge')
    if (found === null) return null
    const { action, scale } = found.mapping
    return { name: found.name, labels: found.labels, action, scale }
  }
}

type GraphiteSockets = {
  readonly addresses: { readonly udp: string; readonly tcp: string }
  look(): Promise<void>
  close(): Promise<void>
}

/** Both or none. @throws NetError naming the address that cannot be had */
async function openSockets(
  net: Pick<Net, 'listenTcp' | 'listenDatagrams'>,
  address: { readonly host: string; readonly port: number },
  sink: LineSink,
  log: Logger,
): Promise<GraphiteSockets> {
  if (!net.listenDatagrams) throw new Error('This runtime has no datagram sockets')
  const tcp: Listener = await net.listenTcp({ ...address, host: address.host || '::' }, (socket) => {
    const stream = new GraphiteStream(sink)
    socket.onData((chunk) => {
      if (!stream.push(chunk)) socket.destroy()
    })
    socket.onClose(() => stream.end())
  })
  let udp: DatagramListener
  try {
    udp = await net.listenDatagrams({
      address,
      readBufferBytes: 0,
      onDatagrams: ({ bytes, starts, lengths, count }) => {
        for (let i = 0; i < count; i++) readLines(bytes.subarray(starts[i]!, starts[i]! + lengths[i]!), sink)
      },
      onError: (err) => log.error('The UDP socket failed', { err }),
    })
  } catch (error) {
    await tcp.close(0)
    throw error
  }
  const shown = ({ host, port }: { readonly host: string; readonly port: number }): string => `${host}:${port}`
  return {
    addresses: { udp: shown(udp.address), tcp: shown(tcp.address) },
    look: async () => udp.look?.(),
    close: async () => {
      await Promise.all([udp.close(), tcp.close(0)])
    },
  }
}

type SelfSources = {
  readonly tagFailures: number
  readonly refusedSeries: number
  readonly refused: Readonly<Record<Refusal, number>>
  readonly lastProcessedMs: number
  readonly expiryMs: number
  readonly mapper: Mapper
}

/** Names and helps: graphite_exporter collector/collector.go, statsd_exporter pkg/mapper/mapper_cache.go; the last is ours. */
function selfFamilies(sources: SelfSources): MetricFamily[] {
  const { tagFailures, refusedSeries, refused, lastProcessedMs, expiryMs, mapper } = sources
  const one = (value: number): Metric[] => [{ labels: [], value }]
  const reasons = Object.entries({ ...refused, too_many_series: refusedSeries })
  return [
    counter('graphite_tag_parse_failures', 'Total count of samples with invalid tags', one(tagFailures)),
    gauge(
      'graphite_last_processed_timestamp_seconds',
      'Unix timestamp of the last processed graphite metric.',
      one(lastProcessedMs / 1000),
    ),
    gauge('graphite_sample_expiry_seconds', 'How long in seconds a metric sample is valid for.', one(expiryMs / 1000)),
    ...mapperFamilies(mapper),
    counter(
      'heliograph_graphite_refused_lines_total',
      'Lines that were not taken, by what was wrong with them.',
      reasons.map(([reason, value]) => ({ labels: ['reason', reason], value })),
    ),
  ]
}
