/** The exporters of a configuration, and the in-process targets that scrape them. */
import type { Exporter } from '../../exporters/contract.ts'
import { createNodeExporter } from '../../exporters/node/mod.ts'
import { createNodejsExporter, type RuntimeStats } from '../../exporters/nodejs/mod.ts'
import type { AgentConfig, ExporterConfig } from '../../protocol/config/mod.ts'
import type { Env } from '../../protocol/env/mod.ts'
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { type ScrapeTargetConfig, withTargetDefaults } from '../scrape/mod.ts'

export class ExporterError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ExporterError'
  }
}

/** @throws ExporterError for one that is not built, or a flag that it does not take */
export function createExporters(env: Env, config: AgentConfig, stats: RuntimeStats, version: string): Exporter[] {
  return config.exporters
    .filter(({ enabled }) => enabled)
    .map((exporter) => createExporter(env, exporter, stats, version))
}

function createExporter(env: Env, { name, flags }: ExporterConfig, stats: RuntimeStats, version: string): Exporter {
  try {
    if (name === 'node')
      return createNodeExporter({
        disk: env.disk,
        clock: env.clock,
        log: env.log.with({ exporter: name }),
        kernel: env.kernel,
        net: env.net,
        random: env.random,
        systemBusAddress: process.env['DBUS_SYSTEM_BUS_ADDRESS'],
        flags,
        version,
      })
    if (name === 'nodejs')
      return createNodejsExporter(stats, { disk: env.disk, net: env.net, log: env.log.with({ exporter: name }) }, flags)
  } catch (error) {
    throw new ExporterError(`exporters.${name}: ${(error as Error).message}`, { cause: error })
  }
  throw new ExporterError(`exporters.${name}: this exporter is not built yet; node and nodejs are`)
}

type Source = {
  readonly config: Pick<ExporterConfig, 'job' | 'intervalMs' | 'labels'>
  readonly name: string
  readonly collect: () => Promise<readonly MetricFamily[]>
}

/** `instance` is HOST:PORT as it would be if a Prometheus scraped this agent, so that dashboards keep their labels. */
export function exporterTargets(
  config: AgentConfig,
  exporters: readonly Exporter[],
  own: () => Promise<readonly MetricFamily[]>,
  instance: string,
): ScrapeTargetConfig[] {
  const sources: Source[] = exporters.map((exporter) => ({
    config: config.exporters.find(({ name }) => name === exporter.name)!,
    name: exporter.name,
    collect: () => exporter.collect(),
  }))
  sources.push({ config: { job: 'heliograph-agent', intervalMs: null, labels: {} }, name: 'agent', collect: own })
  return sources.map(({ config: { job, intervalMs, labels }, name, collect }) => {
    const interval = intervalMs ?? config.global.scrapeIntervalMs
    const shown = labelsFrom({ job, instance, ...labels })
    return withTargetDefaults({
      job,
      source: { kind: 'collect', name: `/metrics/${name}`, collect },
      labels: shown,
      discoveredLabels: shown,
      intervalMs: interval,
      timeoutMs: Math.min(interval, 10_000),
    })
  })
}
