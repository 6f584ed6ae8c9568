/** Pages of exporters: what one or several of them say, as one answer to an HTTP request. */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { ProgramIdentity } from '../../exporters/contract.ts'
import { ownProcessFamilies } from '../../exporters/process.ts'
import type { Env } from '../../protocol/env/mod.ts'
import {
  gauge,
  type Metric,
  type MetricFamily,
  TEXT_CONTENT_TYPE,
  writeExposition,
} from '../../protocol/exposition/mod.ts'
import type { ExporterPart } from './exporters.ts'
import { OPENMETRICS_CONTENT_TYPE, writeOpenMetrics } from './openmetrics.ts'

export type PageRequest = { readonly parameters?: URLSearchParams; readonly timeoutMs?: number }

/**
 * Everything that one configured exporter says. What is told of several targets is told apart by the label `instance`.
 */
export async function pageOf(
  parts: readonly ExporterPart[],
  { parameters, timeoutMs }: PageRequest = {},
): Promise<readonly MetricFamily[]> {
  const pages = await Promise.all(
    parts.map(async ({ exporter, instance }) => {
      const families = await exporter.collect(parameters, timeoutMs)
      return instance === '' ? families : families.map((family) => withInstance(family, instance))
    }),
  )
  return pages.length === 1 ? pages[0]! : mergeFamilies(pages.flat())
}

/** What upstream's program says of itself, apart from what is Go's alone. */
export function programFamilies(
  { namespace }: ProgramIdentity,
  { disk, clock }: Pick<Env, 'disk' | 'clock'>,
  version: string,
): MetricFamily[] {
  const help = `A metric with a constant '1' value labeled by version, revision, branch, goversion from which ${namespace} was built, and the goos and goarch for the build.`
  const labels = [
    ...['branch', 'heliograph', 'goarch', '', 'goos', 'linux', 'goversion', '', 'revision', '', 'tags', ''],
    ...['version', version],
  ]
  return [gauge(`${namespace}_build_info`, help, [{ labels, value: 1 }]), ...ownProcessFamilies(disk, clock)]
}

/**
 * Families of one name become one, or a scraper would refuse the page; of two series that are the same, and of two types
 * of one name, the first stays.
 */
export function mergeFamilies(families: readonly MetricFamily[]): MetricFamily[] {
  const byName = new Map<string, MetricFamily[]>()
  for (const family of families) {
    const known = byName.get(family.name)
    if (!known) byName.set(family.name, [family])
    else if (known[0]!.type === family.type) known.push(family)
  }
  return [...byName.values()].map((same) => (same.length === 1 ? same[0]! : merged(same)))
}

function merged(families: readonly MetricFamily[]): MetricFamily {
  const seen = new Set<string>()
  const metrics: Metric[] = []
  for (const family of families)
    for (const metric of family.metrics) {
      // Half of a character is in no label.
      const key = `${metric.suffix ?? ''}\ud800${metric.labels.join('\ud800')}`
      if (seen.has(key)) continue
      seen.add(key)
      metrics.push(metric)
    }
  return { ...families[0]!, metrics }
}

/** In its place among sorted names. */
function withInstance(family: MetricFamily, instance: string): MetricFamily {
  const metrics = family.metrics.map((metric) => {
    const { labels } = metric
    let at = 0
    // `le` and `quantile` stay last.
    while (at < labels.length && labels[at]! < 'instance' && labels[at] !== 'le' && labels[at] !== 'quantile') at += 2
    return { ...metric, labels: [...labels.slice(0, at), 'instance', instance, ...labels.slice(at)] }
  })
  return { ...family, metrics }
}

const compress = promisify(gzip)

/**
 * In the format and the encoding that the client takes. As upstream, whose handlers leave OpenMetrics switched off, a
 * client that takes the text format gets it, for the same bucket is `le="1"` there and `le="1.0"` in OpenMetrics, which
 * would be other series to a scraper of before.
 */
export async function metricsResponse(families: readonly MetricFamily[], request: Request): Promise<Response> {
  const accept = request.headers.get('accept') ?? ''
  const isOpenMetrics = !admits(accept, 'text/plain') && admits(accept, 'application/openmetrics-text')
  const body = isOpenMetrics ? writeOpenMetrics(families) : writeExposition(families)
  const headers: Record<string, string> = {
    'content-type': isOpenMetrics ? OPENMETRICS_CONTENT_TYPE : TEXT_CONTENT_TYPE,
    vary: 'Accept, Accept-Encoding',
  }
  if (!admits(request.headers.get('accept-encoding') ?? 'identity', 'gzip'))
    return new Response(body as Uint8Array<ArrayBuffer>, { headers })
  headers['content-encoding'] = 'gzip'
  return new Response((await compress(body, { level: 1 })) as Uint8Array<ArrayBuffer>, { headers })
}

/** Whether a list of media types or encodings takes this one; none given takes everything. */
function admits(header: string, wanted: string): boolean {
  if (header.trim() === '') return true
  const [kind] = wanted.split('/')
  const weights = new Map<string, number>()
  for (const item of header.toLowerCase().split(',')) {
    const [name = '', ...parameters] = item.split(';').map((part) => part.trim())
    const q = parameters.find((parameter) => parameter.startsWith('q='))
    weights.set(name, Math.max(weights.get(name) ?? 0, q === undefined ? 1 : Number(q.slice(2)) || 0))
  }
  const weight = weights.get(wanted) ?? weights.get(`${kind}/*`) ?? weights.get(wanted.includes('/') ? '*/*' : '*') ?? 0
  return weight > 0
}

/** Of Prometheus's header; undefined where there is none that can be used. */
export function scrapeTimeoutMs(request: Request): number | undefined {
  const seconds = Number(request.headers.get('x-prometheus-scrape-timeout-seconds') ?? Number.NaN)
  return seconds > 0 && seconds < 3600 ? seconds * 1000 : undefined
}
