/**
 * The statsd exporter: StatsD packets into Prometheus metrics, with the mappings, names and self-metrics of
 * statsd_exporter. Sockets are the caller's: it hands over packets and streams, and reads `listen` for where from.
 * Semantics: statsd_exporter (v0.30).
 */
import type { Clock, Disk, Logger } from '../../protocol/env/mod.ts'
import {
  booleanFlag,
  type Exporter,
  FlagError,
  type Flags,
  integerFlag,
  refuseUnknownFlags,
  stringFlag,
} from '../contract.ts'
import { handleEvent } from './events.ts'
import { decodeLines, parseLine } from './line.ts'
import { emptyMappingConfig, Mapper } from './mapper.ts'
import { loadMappingConfig } from './mapping-config.ts'
import { Registry } from './registry.ts'
import { increment, newStatsdCounters, type StatsdCounters, selfFamilies } from './self-metrics.ts'
import { LineStream } from './stream.ts'
import type { TagStyles } from './tags.ts'

export type { EventKind, StatsdEvent } from './event.ts'
export { loadMappingConfig, type Mapping, type MappingConfig } from './mapping-config.ts'

export type StatsdOptions = {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Logger
  readonly flags: Flags
}

/** Addresses as the flags have them; '' is off. */
export type StatsdListen = {
  readonly udp: string
  readonly tcp: string
  readonly unixgram: string
  /** Octal digits. */
  readonly unixSocketMode: string
  /** Of UDP and unixgram sockets, 0: the system's. */
  readonly readBufferBytes: number
}

export interface StatsdExporter extends Exporter {
  readonly listen: StatsdListen
  handlePacket(packet: Uint8Array, transport: 'udp' | 'unixgram'): void
  /** A new TCP connection. */
  openStream(): StatsdStream
  /** Reads the mapping file again; the old mappings stay if it is bad. Series keep their values. */
  reload(): void
  readonly counters: Readonly<StatsdCounters>
}

export interface StatsdStream {
  /** False: a line is too long, close the connection. */
  push(chunk: Uint8Array): boolean
  /** The connection is over: what is left is a line. */
  end(error: Error | null): void
}

const FLAGS = [
  'statsd.mapping-config',
  'statsd.listen-udp',
  'statsd.listen-tcp',
  'statsd.listen-unixgram',
  'statsd.unixsocket-mode',
  'statsd.read-buffer',
  'statsd.cache-size',
  'statsd.cache-type',
  'statsd.event-queue-size',
  'statsd.event-flush-threshold',
  'statsd.event-flush-interval',
  'statsd.udp-packet-queue-size',
  'statsd.parse-dogstatsd-tags',
  'statsd.parse-influxdb-tags',
  'statsd.parse-librato-tags',
  'statsd.parse-signalfx-tags',
  'heliograph.max-series',
]
/** Upstream has no bound: a client that puts request ids into names takes the host down. */
const DEFAULT_MAX_SERIES = 200_000

/** @throws FlagError for a flag it does not know or cannot use, or a mapping file that cannot be read */
export function createStatsdExporter({ disk, clock, log, flags }: StatsdOptions): StatsdExporter {
  refuseUnknownFlags(flags, FLAGS)
  const style = (name: string): boolean => booleanFlag(flags, `statsd.parse-${name}-tags`, true)
  const styles: TagStyles = {
    dogstatsd: style('dogstatsd'),
    influxdb: style('influxdb'),
    librato: style('librato'),
    signalfx: style('signalfx'),
  }
  const cacheSize = integerFlag(flags, 'statsd.cache-size', 1000)
  const file = stringFlag(flags, 'statsd.mapping-config', '')
  const counters = newStatsdCounters()
  const registry = new Registry({ maxSeries: integerFlag(flags, 'heliograph.max-series', DEFAULT_MAX_SERIES) })
  let mapper = new Mapper(emptyMappingConfig(), { cacheSize })
  if (file !== '') {
    try {
      mapper = load()
    } catch (error) {
      throw new FlagError('statsd.mapping-config', (error as Error).message)
    }
  }

  function load(): Mapper {
    return new Mapper(loadMappingConfig(disk.readText(file), file), { cacheSize })
  }

  function handleLine(line: string, nowMs: number): void {
    parseLine(line, styles, counters, (event) => handleEvent(event, { mapper, registry, counters }, nowMs))
  }

  return {
    name: 'statsd',
    listen: {
      udp: stringFlag(flags, 'statsd.listen-udp', ':9125'),
      tcp: stringFlag(flags, 'statsd.listen-tcp', ':9125'),
      unixgram: stringFlag(flags, 'statsd.listen-unixgram', ''),
      unixSocketMode: stringFlag(flags, 'statsd.unixsocket-mode', '755'),
      readBufferBytes: integerFlag(flags, 'statsd.read-buffer', 0),
    },
    counters,
    handlePacket(packet, transport) {
      if (transport === 'udp') counters.udpPackets++
      else counters.unixgramPackets++
      const nowMs = clock.monotonic()
      decodeLines(packet, counters, (line) => handleLine(line, nowMs))
    },
    openStream() {
      counters.tcpConnections++
      const stream = new LineStream(counters, {
        line: (line) => handleLine(line, clock.monotonic()),
        tooLong: () => {
          counters.tcpTooLongLines++
        },
      })
      return {
        push: (chunk) => stream.push(chunk),
        end: (error) => {
          if (error !== null) counters.tcpErrors++
          stream.end()
        },
      }
    },
    reload() {
      if (file === '') return
      try {
        mapper = load()
        increment(counters.reloads, 'success')
        log.info('Reloaded the mapping file', { file, mappings: mapper.config.mappings.length })
      } catch (error) {
        increment(counters.reloads, 'failure')
        log.error('Cannot reload the mapping file; the old mappings stay', { file, err: (error as Error).message })
      }
    },
    async collect() {
      const own = selfFamilies(counters, mapper, registry)
      const ownNames = new Set(own.map(({ name }) => name))
      // A client may call its metric as one of ours.
      return [...registry.families(clock.monotonic()).filter(({ name }) => !ownNames.has(name)), ...own]
    },
    close: async () => {},
  }
}
