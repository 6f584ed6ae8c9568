/** Processes of a supervisord, by its XML-RPC. Semantics: node_exporter collector/supervisord.go. */
import type { Clock, Net } from '../../protocol/env/mod.ts'
import { FlagError, stringFlag } from '../contract.ts'
import { textExchange } from '../exchange.ts'
import { type Collector, FamilySet, type NodeContext, netOf } from './collector.ts'

const URL_FLAG = 'collector.supervisord.url'
const CALL =
  '<?xml version="1.0"?><methodCall><methodName>supervisor.getAllProcessInfo</methodName><params></params></methodCall>'
const TIMEOUT_MS = 5_000
const MAX_BYTES = 16 * 1024 * 1024
const LABELS = ['group', 'name'] as const
/** STARTING, RUNNING, STOPPING. */
const RUNNING = new Set([10, 20, 40])

export function supervisordCollector(context: NodeContext): Collector {
  const text = stringFlag(context.flags, URL_FLAG, 'http://localhost:9001/RPC2')
  const url = URL.parse(text)
  if (!url || !/^(https?|unix):$/.test(url.protocol))
    throw new FlagError(URL_FLAG, `must be a URL of http, https or unix, got "${text}"`)
  return {
    name: 'supervisord',
    async update() {
      const net = netOf(context)
      const body =
        url.protocol === 'unix:' ? await overUnix(net, context.clock, url.pathname) : await overHttp(net, url)
      const out = new FamilySet()
      for (const process of parseStructs(body)) {
        const labels = LABELS.flatMap((name) => [name, process.get(name) ?? ''])
        const number = (name: string): number => Number(process.get(name) ?? 0)
        const state = number('state')
        const isUp = RUNNING.has(state)
        out.gauge('supervisord_exit_status', 'Process Exit Status', labels, number('exitstatus'))
        out.gauge('supervisord_state', 'Process State', labels, state)
        out.gauge('supervisord_up', 'Process Up', labels, isUp ? 1 : 0)
        if (isUp) out.counter('supervisord_start_time_seconds', 'Process start time', labels, number('start'))
      }
      return out.list().sort((a, b) => (a.name < b.name ? -1 : 1))
    },
  }
}

async function overHttp(net: Net, url: URL): Promise<string> {
  const bare = new URL(url)
  bare.username = ''
  bare.password = ''
  const headers: Record<string, string> = { 'content-type': 'text/xml' }
  if (url.username !== '') {
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
    headers['authorization'] = `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(credentials)))}`
  }
  const response = await net.request({
    method: 'POST',
    url: bare.href,
    headers,
    body: new TextEncoder().encode(CALL),
    timeoutMs: TIMEOUT_MS,
    maxBodyBytes: MAX_BYTES,
  })
  if (response.status !== 200) throw new Error(`supervisord answered with status ${response.status}`)
  return new TextDecoder().decode(response.body)
}

/** HTTP/1.0, whose answer ends with the connection. */
async function overUnix(net: Net, clock: Clock, path: string): Promise<string> {
  const limits = { timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES }
  const exchange = textExchange(await net.connectUnix(decodeURIComponent(path), limits), clock, limits)
  try {
    const request = [
      'POST /RPC2 HTTP/1.0',
      'Host: unix',
      'Connection: close',
      'Content-Type: text/xml',
      `Content-Length: ${CALL.length}`,
      '',
      CALL,
    ].join('\r\n')
    const answer = await exchange.ask(request, null)
    const status = /^HTTP\/1\.\d (\d{3})/.exec(answer)?.[1]
    if (status !== '200') throw new Error(`supervisord answered with status ${status ?? 'none'}`)
    return answer.slice(answer.indexOf('\r\n\r\n') + 4)
  } finally {
    exchange.close()
  }
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

/** The members of each struct of an XML-RPC answer, as text. @throws Error for a fault */
export function parseStructs(xml: string): Map<string, string>[] {
  if (xml.includes('<fault>')) throw new Error(`supervisord answered with a fault: ${xml.slice(0, 200)}`)
  if (!xml.includes('<methodResponse>')) throw new Error(`supervisord's answer is no XML-RPC: "${xml.slice(0, 80)}"`)
  return xml
    .split('<struct>')
    .slice(1)
    .map((struct) => {
      const out = new Map<string, string>()
      for (const member of struct.split('<member>').slice(1)) {
        const name = between(member, '<name>', '</name>')
        const value = between(member, '<value>', '</value>')
        if (name !== null && value !== null)
          out.set(decodeEntities(name), decodeEntities(value.replace(/^<[^<>]*>|<\/[^<>]*>$/g, '')))
      }
      return out
    })
}

function between(text: string, start: string, end: string): string | null {
  const from = text.indexOf(start)
  const to = text.indexOf(end, from)
  return from < 0 || to < 0 ? null : text.slice(from + start.length, to)
}

function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w{2,4}));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[name] ?? whole
    const code = decimal !== undefined ? Number(decimal) : Number.parseInt(hex, 16)
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}
