/**
 * Another Node.js process's snapshot through its diagnostics socket (`node --inspect`, or SIGUSR1). Protocol: the
 * inspector's HTTP endpoint `/json/list` and `Runtime.evaluate` of the Chrome DevTools Protocol. The answer comes from a
 * process that may be anything: its shape is checked, and its size bounded.
 */
import type { Net } from '../../protocol/env/mod.ts'
import { PROBE } from './probe.ts'
import { type CountsByType, GC_BOUNDS, type RuntimeSnapshot } from './snapshot.ts'

const TIMEOUT_MS = 3_000
const MAX_BYTES = 1024 * 1024
const MAX_ENTRIES = 1_000
const MAX_NAME_CHARS = 200

export type InspectorNet = Pick<Net, 'request' | 'askWebSocket'>

/** @param address HOST:PORT of the diagnostics socket. @throws Error saying what did not answer as a debugger does */
export async function askInspector(net: InspectorNet, address: string): Promise<RuntimeSnapshot> {
  if (!net.askWebSocket) throw new Error('WebSockets are not available to this process')
  const list = await net.request({
    method: 'GET',
    url: `http://${address}/json/list`,
    timeoutMs: TIMEOUT_MS,
    maxBodyBytes: MAX_BYTES,
  })
  const targets = parseJson(new TextDecoder().decode(list.body))
  const first = Array.isArray(targets) ? (targets[0] as Record<string, unknown> | undefined) : undefined
  const id = first?.['id']
  // Only the address that the operator named is dialled, whatever the answer's own URL says.
  if (list.status !== 200 || typeof id !== 'string' || !/^[\w-]{1,100}$/.test(id))
    throw new Error(`${address} is no diagnostics socket of Node.js: status ${list.status} for /json/list`)
  const params = { expression: PROBE, returnByValue: true, silent: true, includeCommandLineAPI: true }
  const question = JSON.stringify({ id: 1, method: 'Runtime.evaluate', params })
  const text = await net.askWebSocket(`ws://${address}/${id}`, question, { timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES })
  const answer = parseJson(text) as { result?: { result?: { value?: unknown } } }
  const value = answer?.result?.result?.value
  if (typeof value !== 'string')
    throw new Error(`${address} answered without a value: ${text.slice(0, MAX_NAME_CHARS)}`)
  return decodeSnapshot(parseJson(value))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Error(`JSON expected, got "${text.slice(0, MAX_NAME_CHARS)}"`, { cause })
  }
}

/** @throws Error naming the field that is not as it should be */
export function decodeSnapshot(raw: unknown): RuntimeSnapshot {
  const root = record(raw, 'snapshot')
  const numbers = <K extends string>(from: unknown, what: string, keys: readonly K[]): Record<K, number> => {
    const fields = record(from, what)
    return Object.fromEntries(keys.map((key) => [key, number(fields[key], `${what}.${key}`)])) as Record<K, number>
  }
  const loop = ['lag', 'min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'] as const
  return {
    version: name(root['version'], 'version'),
    pid: number(root['pid'], 'pid'),
    startTimeMs: number(root['startTimeMs'], 'startTimeMs'),
    cpu: numbers(root['cpu'], 'cpu', ['user', 'system']),
    memory: numbers(root['memory'], 'memory', ['rss', 'heapTotal', 'heapUsed', 'external']),
    heapSpaces: list(root['heapSpaces'], 'heapSpaces').map((space) => ({
      name: name(record(space, 'heapSpaces')['name'], 'heapSpaces.name'),
      ...numbers(space, 'heapSpaces', ['size', 'used', 'available']),
    })),
    eventLoop: root['eventLoop'] === null ? null : numbers(root['eventLoop'], 'eventLoop', loop),
    gc: list(root['gc'], 'gc').map((each) => ({
      kind: name(record(each, 'gc')['kind'], 'gc.kind'),
      ...numbers(each, 'gc', ['count', 'seconds']),
      buckets: GC_BOUNDS.map((_, i) => number(list(record(each, 'gc')['buckets'], 'gc.buckets')[i], 'gc.buckets')),
    })),
    activeResources: counts(root['activeResources'], 'activeResources'),
    activeHandles: root['activeHandles'] === null ? null : counts(root['activeHandles'], 'activeHandles'),
    activeRequests: root['activeRequests'] === null ? null : counts(root['activeRequests'], 'activeRequests'),
  }
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(value, what, 'object')
  return value as Record<string, unknown>
}

function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length > MAX_ENTRIES) throw wrong(value, what, `list of at most ${MAX_ENTRIES}`)
  return value
}

function number(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw wrong(value, what, 'number')
  return value
}

function name(value: unknown, what: string): string {
  if (typeof value !== 'string' || value.length > MAX_NAME_CHARS) throw wrong(value, what, 'short text')
  return value
}

function counts(value: unknown, what: string): CountsByType {
  const entries = Object.entries(record(value, what))
  if (entries.length > MAX_ENTRIES) throw wrong(entries.length, what, `at most ${MAX_ENTRIES} entries`)
  return Object.fromEntries(entries.map(([key, count]) => [name(key, what), number(count, what)]))
}

function wrong(value: unknown, what: string, expected: string): Error {
  return new Error(`Bad snapshot: ${what} must be ${expected}, got ${JSON.stringify(value)?.slice(0, MAX_NAME_CHARS)}`)
}
