/**
 * The statsd exporter: StatsD packets into Prometheus metrics, with the mappings, names and self-metrics of
 * statsd_exporter. `start` opens what the flags name; packets and streams of other sockets may be handed over, too.
 * Semantics: statsd_exporter (v0.30).
 */
import type { Clock, DatagramSender, Datagrams, Disk, Logger } from '../../protocol/env/mod.ts'
import {
  booleanFlag,
  type Exporter,
  FlagError,
  type Flags,
  integerFlag,
  refuseUnknownFlags,
  stringFlag,
} from '../contract.ts'
import type { StatsdEvent } from './event.ts'
import { type EventOutcome, handleEvent, handleRouted } from './events.ts'
import { decodeLines, parseLine } from './line.ts'
import { emptyMappingConfig, Mapper } from './mapper.ts'
import { loadMappingConfig } from './mapping-config.ts'
import { Registry } from './registry.ts'
import { Relay } from './relay.ts'
import { type LineParts, type Route, Routes, readParts } from './routes.ts'
import { increment, newStatsdCounters, type StatsdCounters, selfFamilies } from './self-metrics.ts'
import { addressOf, openSockets, type StatsdNet, type StatsdSockets } from './sockets.ts'
import { LineStream } from './stream.ts'
import type { TagStyles } from './tags.ts'

export type { EventKind, StatsdEvent } from './event.ts'
export { emptyMappingConfig, Mapper, type MapResult } from './mapper.ts'
export { loadMappingConfig, type Mapping, type MappingConfig } from './mapping-config.ts'
export { mapperFamilies } from './self-metrics.ts'
export { addressOf } from './sockets.ts'

export type StatsdOptions = {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Logger
  readonly flags: Flags
  /** Absent: nothing is listened on, and nothing relayed. */
  readonly net?: StatsdNet
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
  /** Hot: see routes.ts. */
  handleDatagrams(datagrams: Datagrams, transport: 'udp' | 'unixgram'): void
  /** A new TCP connection. */
  openStream(): StatsdStream
  /** Opens the sockets. @throws NetError naming the address that cannot be had */
  start(): Promise<void>
  /** Where packets come in once it has started; '' for nowhere. */
  addresses(): { readonly udp: string; readonly tcp: string }
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
  'statsd.relay.address',
  'statsd.relay.packet-length',
  'heliograph.max-series',
]
/** Upstream has no bound: a client that puts request ids into names takes the host down. */
const DEFAULT_MAX_SERIES = 200_000

/** @throws FlagError for a flag it does not know or cannot use, or a mapping file that cannot be read */
export function createStatsdExporter({ disk, clock, log, flags, net }: StatsdOptions): StatsdExporter {
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
  const listen = listenFlags(flags)
  const routes = new Routes()
  const parts: LineParts = { start: 0, colon: 0, bar: 0, end: 0, value: 0, hash: 0 }
  let sockets: StatsdSockets | null = null
  let relaySender: DatagramSender | null = null
  const relay = relayOf({ clock, flags, send: (packet) => relaySender?.send(packet) })
  let mapper = new Mapper(emptyMappingConfig(), { cacheSize })
  if (file !== '') {
    try {
      mapper = load()
    } catch (error) {
      throw new FlagError('statsd.mapping-config', (error as Error).message)
    }
  }

  function load(): Mapper {
    const onUnknown = (problem: string): void => log.warn('A key of the mapping file has no effect', { problem })
    return new Mapper(loadMappingConfig(disk.readText(file), file, onUnknown), { cacheSize })
  }

  /** What it came to, when it was one event and without fault. */
  function handleLine(line: string, nowMs: number): Learnt | null {
    let learnt: Learnt | null = null
    let events = 0
    parseLine(line, styles, counters, (event) => {
      events++
      const outcome = handleEvent(event, { mapper, registry, counters }, nowMs)
      learnt = outcome && { ...outcome, event }
    })
    return events === 1 ? learnt : null
  }

  /** Up to the next newline. @returns where that is, or `limit` */
  function handleBytes(bytes: Uint8Array, start: number, limit: number, nowMs: number): number {
    const isPlain = readParts(bytes, start, limit, parts)
    const { end } = parts
    relay?.push(bytes.subarray(start, end))
    if (isPlain) {
      const route = routes.find(bytes, parts)
      if (route !== null && handleRouted(route, parts.value, { mapper, registry, counters }, nowMs)) {
        counters.lines++
        return end
      }
    }
    const faults = faultsOf(counters)
    const line = bytes.subarray(start, end)
    decodeLines(line, counters, (text) => {
      const learnt = handleLine(text, nowMs)
      if (learnt === null || !isPlain || faultsOf(counters) !== faults) return
      const route = routeOf(learnt, text)
      if (route !== null) routes.set(bytes, parts, route)
    })
    return end
  }

  function handlePacket(bytes: Uint8Array, start: number, end: number, nowMs: number): void {
    for (let from = start; from <= end; ) from = handleBytes(bytes, from, end, nowMs) + 1
  }

  return {
    name: 'statsd',
    program: {
      namespace: 'statsd_exporter',
      title: 'StatsD Exporter',
      about: 'Prometheus Exporter for StatsD metrics',
    },
    listen,
    counters,
    handlePacket(packet, transport) {
      countPackets(counters, transport, 1)
      handlePacket(packet, 0, packet.length, clock.monotonic())
    },
    handleDatagrams({ bytes, starts, lengths, count }, transport) {
      countPackets(counters, transport, count)
      counters.flushes++
      const nowMs = clock.monotonic()
      for (let i = 0; i < count; i++) handlePacket(bytes, starts[i]!, starts[i]! + lengths[i]!, nowMs)
    },
    async start() {
      if (!net) return
      if (relay !== null) {
        const address = addressOf('statsd.relay.address', relay.target)
        relaySender = net.openDatagrams?.(address, (err) => log.error('Error sending UDP packet', { err })) ?? null
      }
      const sink = { datagrams: this.handleDatagrams, stream: this.openStream }
      sockets = await openSockets(net, listen, sink, log)
    },
    addresses: () => sockets?.addresses ?? { udp: '', tcp: '' },
    openStream() {
      counters.tcpConnections++
      const stream = new LineStream(counters, {
        line: (line) => {
          relay?.push(new TextEncoder().encode(line))
          handleLine(line, clock.monotonic())
        },
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
        routes.clear()
        increment(counters.reloads, 'success')
        log.info('Reloaded the mapping file', { file, mappings: mapper.config.mappings.length })
      } catch (error) {
        increment(counters.reloads, 'failure')
        log.error('Cannot reload the mapping file; the old mappings stay', { file, err: (error as Error).message })
      }
    },
    async collect() {
      // What came before the scrape belongs to it.
      await sockets?.look()
      const own = selfFamilies({ counters, mapper, registry, relay, drops: sockets?.drops() ?? 0 })
      const ownNames = new Set(own.map(({ name }) => name))
      // A client may call its metric as one of ours.
      return [...registry.families(clock.monotonic()).filter(({ name }) => !ownNames.has(name)), ...own]
    },
    close: async () => {
      // Closing reads what had come already.
      await sockets?.close()
      relay?.flush()
      relaySender?.close()
      sockets = null
      relaySender = null
    },
  }
}

type Learnt = EventOutcome & { readonly event: StatsdEvent }

function listenFlags(flags: Flags): StatsdListen {
  const out = {
    udp: stringFlag(flags, 'statsd.listen-udp', ':9125'),
    tcp: stringFlag(flags, 'statsd.listen-tcp', ':9125'),
    unixgram: stringFlag(flags, 'statsd.listen-unixgram', ''),
    unixSocketMode: stringFlag(flags, 'statsd.unixsocket-mode', '755'),
    readBufferBytes: integerFlag(flags, 'statsd.read-buffer', 0),
  }
  if (out.udp === '' && out.tcp === '' && out.unixgram === '')
    throw new FlagError('statsd.listen-udp', 'at least one of UDP, TCP and unixgram must be listened on')
  for (const transport of ['udp', 'tcp'] as const)
    if (out[transport] !== '') addressOf(`statsd.listen-${transport}`, out[transport])
  if (!/^[0-7]{3,4}$/.test(out.unixSocketMode))
    throw new FlagError('statsd.unixsocket-mode', `must be octal digits, got "${out.unixSocketMode}"`)
  return out
}

function relayOf({
  clock,
  flags,
  send,
}: {
  clock: Clock
  flags: Flags
  send: (packet: Uint8Array) => void
}): Relay | null {
  const target = stringFlag(flags, 'statsd.relay.address', '')
  if (target === '') return null
  addressOf('statsd.relay.address', target)
  const packetLength = integerFlag(flags, 'statsd.relay.packet-length', 1400)
  if (packetLength < 1 || packetLength > 65_507)
    throw new FlagError('statsd.relay.packet-length', `must be from 1 to 65507, got ${packetLength}`)
  return new Relay({ target, packetLength, clock, send })
}

function countPackets(counters: StatsdCounters, transport: 'udp' | 'unixgram', count: number): void {
  if (transport === 'udp') counters.udpPackets += count
  else counters.unixgramPackets += count
}

/** How many faults of lines were counted so far, whatever they were. */
function faultsOf({ sampleErrors, tagErrors }: StatsdCounters): number {
  let out = tagErrors
  for (const count of sampleErrors.values()) out += count
  return out
}

/** null: the line says something that is not the same for all lines like it. */
function routeOf({ event, series, scale, isMapped }: Learnt, line: string): Route | null {
  const [, type, ...rest] = line.slice(line.indexOf(':') + 1).split('|')
  if (scale < 0 || rest.some((component) => component.startsWith('T'))) return null
  const sampled = rest.filter((component) => component.startsWith('@'))
  if (sampled.length > 1) return null
  const { kind, times, labels } = event
  const rate = kind === 'counter' && sampled.length === 1 ? Number(sampled[0]!.slice(1)) || 1 : 1
  const divisor = type === 'ms' ? 1000 : 1
  return { series, kind, rate, divisor, scale, times, hasTags: labels.size > 0, isMapped }
}
