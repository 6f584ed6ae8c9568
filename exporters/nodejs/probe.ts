/**
 * What is evaluated in another process through its debugger: it answers with a snapshot as JSON text. The first time it
 * begins to watch the event loop and garbage collection there, as prom-client would; nothing else is changed, and what
 * it holds lives under one symbol. Plain JavaScript of Node 16 and later.
 */
import { GC_BOUNDS } from './snapshot.ts'

export const PROBE = `(() => {
  const load = (name) => process.getBuiltinModule ? process.getBuiltinModule('node:' + name) : require(name)
  const hooks = load('perf_hooks')
  const v8 = load('v8')
  const key = Symbol.for('heliograph.nodejs')
  let held = globalThis[key]
  if (!held) {
    const bounds = ${JSON.stringify(GC_BOUNDS)}
    const kinds = { 1: 'minor', 2: 'minor', 4: 'major', 8: 'incremental', 16: 'weakcb' }
    held = { gc: {}, lag: 0 }
    Object.defineProperty(globalThis, key, { value: held, enumerable: false, configurable: true })
    try {
      held.delay = hooks.monitorEventLoopDelay({ resolution: 10 })
      held.delay.enable()
    } catch { held.delay = null }
    held.observer = new hooks.PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const kind = kinds[entry.detail ? entry.detail.kind : entry.kind] || 'minor'
        const stats = held.gc[kind] || (held.gc[kind] = { kind, count: 0, seconds: 0, buckets: bounds.map(() => 0) })
        const seconds = entry.duration / 1000
        stats.count++
        stats.seconds += seconds
        bounds.forEach((bound, i) => { if (seconds <= bound) stats.buckets[i]++ })
      }
    })
    held.observer.observe({ entryTypes: ['gc'] })
  }
  const count = (list, name) => {
    const out = {}
    for (const each of list) { const type = name(each); out[type] = (out[type] || 0) + 1 }
    return out
  }
  const byClass = (fn) => typeof fn === 'function' ? count(fn.call(process), (each) => (each && each.constructor && each.constructor.name) || 'Object') : null
  const d = held.delay
  const s = (n) => d.count === 0 ? 0 : n / 1e9
  const eventLoop = d && { lag: held.lag, min: s(d.min), max: s(d.max), mean: s(d.mean), stddev: s(d.stddev), p50: s(d.percentile(50)), p90: s(d.percentile(90)), p99: s(d.percentile(99)) }
  if (d) d.reset()
  const asked = hooks.performance.now()
  setImmediate(() => { held.lag = (hooks.performance.now() - asked) / 1000 })
  const cpu = process.cpuUsage()
  const memory = process.memoryUsage()
  return JSON.stringify({
    version: process.version,
    pid: process.pid,
    startTimeMs: hooks.performance.timeOrigin,
    cpu: { user: cpu.user / 1e6, system: cpu.system / 1e6 },
    memory: { rss: memory.rss, heapTotal: memory.heapTotal, heapUsed: memory.heapUsed, external: memory.external },
    heapSpaces: v8.getHeapSpaceStatistics().map((h) => ({ name: h.space_name, size: h.space_size, used: h.space_used_size, available: h.space_available_size })),
    eventLoop,
    gc: Object.values(held.gc),
    activeResources: typeof process.getActiveResourcesInfo === 'function' ? count(process.getActiveResourcesInfo(), String) : {},
    activeHandles: byClass(process._getActiveHandles),
    activeRequests: byClass(process._getActiveRequests),
  })
})()`
