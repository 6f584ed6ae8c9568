/**
 * Node.js processes under prom-client's names: the agent's own, and those whose diagnostics sockets the flag `inspect`
 * names (`127.0.0.1:9229`), told apart by the label `inspect`. What only the runtime knows of itself comes through
 * `RuntimeStats`, so that Bun and Deno report what they have.
 */
import type { Disk, Logger } from '../../protocol/env/mod.ts'
import { gauge, type Metric, type MetricFamily } from '../../protocol/exposition/mod.ts'
import { type Exporter, FlagError, type Flags, listFlag, refuseUnknownFlags } from '../contract.ts'
import { snapshotFamilies } from './families.ts'
import { askInspector, type InspectorNet } from './inspector.ts'
import type { RuntimeSnapshot } from './snapshot.ts'

export { GC_BOUNDS, type GcStats, type RuntimeSnapshot } from './snapshot.ts'

export interface RuntimeStats {
  /** Event loop figures are of the time since the last call. */
  snapshot(): RuntimeSnapshot
}

export type NodejsEnv = { readonly disk: Disk; readonly log?: Logger; readonly net?: InspectorNet }

/** @throws FlagError for a flag it does not know, or an address that is none */
export function createNodejsExporter(stats: RuntimeStats, env: NodejsEnv, flags: Flags = {}): Exporter {
  refuseUnknownFlags(flags, ['inspect'])
  const addresses = [...new Set(listFlag(flags, 'inspect'))]
  for (const address of addresses)
    if (!/^(?:[\w.-]+|\[[\da-f:]+\]):\d{1,5}$/i.test(address))
      throw new FlagError('inspect', `must be addresses like 127.0.0.1:9229, got "${address}"`)
  const failing = new Set<string>()

  async function inspect(address: string): Promise<MetricFamily[]> {
    try {
      const snapshot = await askInspector(env.net ?? { request: unavailable }, address)
      failing.delete(address)
      // A process of another host, or of another namespace, is not found there, or is another one.
      const isHere = /^(?:127\.|localhost:|\[::1\])/.test(address)
      const folder = isHere ? `/proc/${snapshot.pid}` : '/nonexistent'
      return snapshotFamilies(snapshot, env.disk, folder).map((family) => labelled(family, address))
    } catch (err) {
      // Once per outage, not once per scrape.
      if (!failing.has(address)) env.log?.warn('A diagnostics socket did not answer', { inspect: address, err })
      failing.add(address)
      return []
    }
  }

  return {
    name: 'nodejs',
    async collect() {
      const own = snapshotFamilies(stats.snapshot(), env.disk, '/proc/self')
      if (addresses.length === 0) return own
      const others = await Promise.all(addresses.map(inspect))
      const up = addresses.map((address, i): Metric => {
        return { labels: ['inspect', address], value: others[i]!.length > 0 ? 1 : 0 }
      })
      const help = 'Whether the process behind the diagnostics socket told its figures.'
      return [...merge([own, ...others]), gauge('nodejs_inspect_up', help, up)]
    },
    close: async () => {},
  }
}

const unavailable = (): never => {
  throw new Error('Sockets are not available to this process')
}

function labelled(family: MetricFamily, address: string): MetricFamily {
  const metrics = family.metrics.map((metric) => ({ ...metric, labels: ['inspect', address, ...metric.labels] }))
  return { ...family, metrics }
}

/** Families of one name are one. */
function merge(pages: readonly (readonly MetricFamily[])[]): MetricFamily[] {
  const byName = new Map<string, MetricFamily>()
  for (const family of pages.flat()) {
    const known = byName.get(family.name)
    byName.set(family.name, known ? { ...known, metrics: [...known.metrics, ...family.metrics] } : family)
  }
  return [...byName.values()]
}
