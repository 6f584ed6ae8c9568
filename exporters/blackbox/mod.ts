/**
 * The blackbox exporter: probes of other hosts over HTTP, TCP, unix sockets, ICMP, DNS, gRPC and WebSocket, one at each
 * request of `/probe?target=&module=`, under the modules, names and helps of blackbox_exporter.
 * Semantics: blackbox_exporter prober/handler.go, main.go (v0.28).
 */
import { NO_TLS } from '../../protocol/config/mod.ts'
import type { Clock, Disk, LogFields, Logger, ProbeNet, Random } from '../../protocol/env/mod.ts'
import { counter, formatExposition, gauge, type MetricFamily, parseGoFloat } from '../../protocol/exposition/mod.ts'
import {
  booleanFlag,
  type Exporter,
  FlagError,
  type Flags,
  integerFlag,
  ParameterError,
  refuseUnknownFlags,
  stringFlag,
} from '../contract.ts'
import { loadBlackboxConfig, moduleText } from './config.ts'
import { probeDns } from './dns.ts'
import { probeGrpc } from './grpc.ts'
import { History } from './history.ts'
import { probeHttp } from './http.ts'
import { probeIcmp } from './icmp.ts'
import type { BlackboxConfig, Module, Prober } from './modules.ts'
import { ProbePage } from './page.ts'
import { type Probe, type ProbeAccess, type ProbeContext, ProbeFailure, type ProbeLog } from './probe.ts'
import { probeTcp, probeUnix } from './tcp.ts'
import { probeWebsocket } from './websocket.ts'

export type { ProbeAccess } from './probe.ts'

export type BlackboxOptions = {
  readonly net: ProbeNet
  readonly access: ProbeAccess
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly flags: Flags
  readonly version: string
}

export interface BlackboxExporter extends Exporter {
  probe(parameters: URLSearchParams, timeoutMs?: number): Promise<readonly MetricFamily[]>
  /** `/probe?debug=true`, `/config`, `/logs`. */
  handle(request: Request): Promise<Response | null>
  reload(): void
}

const PROBES: Readonly<Record<Prober, Probe>> = {
  http: probeHttp,
  tcp: probeTcp,
  unix: probeUnix,
  icmp: probeIcmp,
  dns: probeDns,
  grpc: probeGrpc,
  websocket: probeWebsocket,
}
const FLAGS = ['config.file', 'timeout-offset', 'history.limit', 'log.prober']
const DEFAULT_TIMEOUT_MS = 120_000
/** Timers know no longer ones, and end at once. */
const LONGEST_TIMEOUT_MS = 3_600_000
/** Under way at once: each may hold a body and a connection. */
const MAX_PROBES = 256
/** Of one probe's lines, and of one value in them: the history keeps those of up to 200 probes. */
const MAX_LOG_CHARS = 64 * 1024
const MAX_VALUE_CHARS = 4096

/** @throws FlagError for a flag it does not know or cannot use, or a file of modules that is wrong */
export function createBlackboxExporter(options: BlackboxOptions): BlackboxExporter {
  const { disk, clock, log, flags } = options
  refuseUnknownFlags(flags, FLAGS)
  const file = stringFlag(flags, 'config.file', 'blackbox.yml')
  const offsetMs = offsetOf(flags)
  const deps = { ...options, readFile: (path: string) => disk.readFile(path) }
  const logsProbes = booleanFlag(flags, 'log.prober', false)
  const history = new History(integerFlag(flags, 'history.limit', 100))
  let config: BlackboxConfig
  try {
    config = load()
  } catch (error) {
    throw new FlagError('config.file', (error as Error).message)
  }
  let loadedMs = clock.now()
  let isLoaded = true
  let unknownModules = 0
  let running = 0

  function load(): BlackboxConfig {
    let text: string
    try {
      text = disk.readText(file)
    } catch (error) {
      throw new Error(`error reading config file: ${(error as Error).message}`, { cause: error })
    }
    return loadBlackboxConfig(text, file)
  }

  function moduleOf(parameters: URLSearchParams): { readonly name: string; readonly module: Module } {
    const name = parameters.get('module') || 'http_2xx'
    const module = Object.hasOwn(config.modules, name) ? config.modules[name] : undefined
    if (module === undefined) {
      unknownModules++
      log.debug('Unknown module', { module: name })
      throw new ParameterError(`Unknown module ${JSON.stringify(name)}`)
    }
    return { name, module: withHostname(module, parameters.get('hostname') ?? '') }
  }

  async function run(parameters: URLSearchParams, callerMs: number): Promise<Outcome> {
    const { name, module } = moduleOf(parameters)
    const target = parameters.get('target') ?? ''
    if (target === '') throw new ParameterError('Target parameter is missing')
    if (running >= MAX_PROBES) throw new Error(`${MAX_PROBES} probes are under way already`)
    const timeoutMs = timeoutOf(callerMs, module.timeoutMs, offsetMs)
    const page = new ProbePage()
    page.register('probe_success')
    page.set('probe_timeout_seconds', timeoutMs / 1000)
    const shown = shownTarget(target)
    const lines = new ProbeLines(clock, { module: name, target: shown }, logsProbes ? log : null)
    lines.info('Beginning probe', { probe: module.prober, timeout_seconds: timeoutMs / 1000 })
    const startedMs = clock.monotonic()
    const context: ProbeContext = { deps, target, module, page, log: lines, deadlineMs: startedMs + timeoutMs }
    running++
    const problem = await PROBES[module.prober](context).then(
      () => null,
      (error: unknown) => error as Error,
    )
    running--
    const seconds = (clock.monotonic() - startedMs) / 1000
    page.set('probe_duration_seconds', seconds)
    page.set('probe_success', problem === null ? 1 : 0)
    if (problem === null) lines.info('Probe succeeded', { duration_seconds: seconds })
    else {
      const fields = problem instanceof ProbeFailure ? problem.fields : {}
      lines.error('Probe failed', { reason: problem.message, ...fields, duration_seconds: seconds })
    }
    const families = page.families()
    const output = () => debugText(lines.text, families, moduleText(config, name))
    history.add({ module: name, target: shown, isSuccess: problem === null, output })
    return { families, output }
  }

  return {
    name: 'blackbox',
    program: {
      namespace: 'blackbox_exporter',
      title: 'Blackbox Exporter',
      about: 'Prometheus Exporter for probes of endpoints over HTTP, DNS, TCP, ICMP, gRPC and WebSocket',
    },
    async collect() {
      return [
        gauge('blackbox_exporter_config_last_reload_successful', 'Blackbox exporter config loaded successfully.', [
          { labels: [], value: isLoaded ? 1 : 0 },
        ]),
        gauge(
          'blackbox_exporter_config_last_reload_success_timestamp_seconds',
          'Timestamp of the last successful configuration reload.',
          [{ labels: [], value: loadedMs / 1000 }],
        ),
        counter('blackbox_module_unknown_total', 'Count of unknown modules requested by probes', [
          { labels: [], value: unknownModules },
        ]),
      ]
    },
    async probe(parameters, timeoutMs = DEFAULT_TIMEOUT_MS) {
      return (await run(parameters, timeoutMs)).families
    },
    async handle(request) {
      const { pathname, searchParams } = new URL(request.url)
      if (request.method !== 'GET' && request.method !== 'HEAD') return null
      if (pathname === '/config') return text(config.redacted)
      if (pathname === '/logs') return historyPage(history, searchParams)
      if (pathname !== '/probe') return null
      const header = request.headers.get('x-prometheus-scrape-timeout-seconds') ?? ''
      const seconds = header === '' ? 0 : parseGoFloat(header, JSON.stringify)
      if (typeof seconds === 'string') return text(`Failed to parse timeout from Prometheus header: ${seconds}\n`, 500)
      if (searchParams.get('debug') !== 'true') return null
      try {
        return text((await run(searchParams, seconds * 1000 || DEFAULT_TIMEOUT_MS)).output())
      } catch (error) {
        if (error instanceof ParameterError) return text(`${error.message}\n`, 400)
        throw error
      }
    },
    reload() {
      try {
        config = load()
        isLoaded = true
        loadedMs = clock.now()
        log.info('Reloaded config file', { file, modules: Object.keys(config.modules).length })
      } catch (error) {
        isLoaded = false
        throw error
      }
    },
    close: async () => {},
  }
}

/** Without a password, wherever it is looked at later. */
const shownTarget = (target: string): string => target.replace(/^((?:\w+:\/\/)?[^/?#@:]*:)[^/?#@]*@/, '$1xxxxx@')

type Outcome = { readonly families: readonly MetricFamily[]; readonly output: () => string }

/** Seconds with a fraction. */
function offsetOf(flags: Flags): number {
  const offset = stringFlag(flags, 'timeout-offset', '0.5')
  if (!/^\d+(?:\.\d+)?$/.test(offset)) throw new FlagError('timeout-offset', `must be seconds, got "${offset}"`)
  return Number(offset) * 1000
}

/** A little less than the caller waits, or what the module says if that is less. Semantics: getTimeout. */
export function timeoutOf(callerMs: number, moduleMs: number, offsetMs: number): number {
  const mostMs = Math.min(callerMs, LONGEST_TIMEOUT_MS) - offsetMs
  if ((moduleMs > 0 && moduleMs < mostMs) || mostMs < 0) return moduleMs
  return mostMs
}

/** For targets that are addresses: the name that requests and certificates are for. */
function withHostname(module: Module, hostname: string): Module {
  if (hostname === '') return module
  if (module.prober === 'http') {
    const { headers } = module.http
    for (const [name, value] of Object.entries(headers))
      if (name.toLowerCase() === 'host' && value !== hostname)
        throw new ParameterError(
          `host header defined both in module configuration (${value}) and with URL-parameter 'hostname' (${hostname})`,
        )
    return { ...module, http: { ...module.http, headers: { ...headers, Host: hostname } } }
  }
  if (module.prober !== 'tcp' || module.tcp.tlsConfig?.serverName) return module
  const base = module.tcp.tlsConfig ?? NO_TLS
  return { ...module, tcp: { ...module.tcp, tlsConfig: { ...base, serverName: hostname } } }
}

/** The lines of one probe, for whoever asks to see them; the program's log gets them at its debug level. */
class ProbeLines implements ProbeLog {
  readonly #clock: Clock
  readonly #fields: LogFields
  readonly #log: Logger | null
  text = ''

  constructor(clock: Clock, fields: LogFields, log: Logger | null) {
    this.#clock = clock
    this.#fields = fields
    this.#log = log
  }

  debug(message: string, fields: LogFields = {}): void {
    this.#add('debug', message, fields)
  }

  info(message: string, fields: LogFields = {}): void {
    this.#add('info', message, fields)
  }

  error(message: string, fields: LogFields = {}): void {
    this.#add('error', message, fields)
  }

  #add(level: string, message: string, fields: LogFields): void {
    this.#log?.[level === 'error' ? 'error' : 'info'](message, { ...this.#fields, ...fields })
    if (this.text.length > MAX_LOG_CHARS) return
    const all = { time: new Date(this.#clock.now()).toISOString(), level, msg: message, ...this.#fields, ...fields }
    this.text += `${Object.entries(all)
      .map(([name, value]) => `${name}=${quoted(value)}`)
      .join(' ')}\n`
  }
}

function quoted(value: unknown): string {
  const whole = String(value)
  const shown = whole.length > MAX_VALUE_CHARS ? `${whole.slice(0, MAX_VALUE_CHARS)}…` : whole
  return shown === '' || /[\s"=\\\p{Cc}]/u.test(shown) ? JSON.stringify(shown) : shown
}

function debugText(lines: string, families: readonly MetricFamily[], module: string): string {
  return `Logs for the probe:\n${lines}\n\n\nMetrics that would have been returned:\n${formatExposition(families)}\n\n\nModule configuration:\n${module}`
}

function historyPage(history: History, parameters: URLSearchParams): Response {
  const id = parameters.get('id')
  const target = parameters.get('target')
  if (id === null && target === null) return text(history.listing())
  const isNumber = id !== null && /^\d{1,15}$/.test(id)
  if (!isNumber && target === null) return text('Probe id or target must be defined as http query parameters\n', 400)
  const found = isNumber ? history.get(Number(id)) : history.ofTarget(shownTarget(target!))
  return found ? text(found.output()) : text(!isNumber ? 'Probe target not found\n' : 'Probe id not found\n', 404)
}

function text(body: string, status = 200): Response {
  return new Response(body, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } })
}
