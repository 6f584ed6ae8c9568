/**
 * The haproxy exporter: frontends, backends and servers of a HAProxy under the names, labels and helps of the retired
 * haproxy_exporter, so that its dashboards keep working. The endpoint that HAProxy has itself since 2.0 is an ordinary
 * scrape target, not this exporter's business. Semantics: haproxy_exporter (v0.15).
 */
import type { Clock, Disk, Logger, Net } from '../../protocol/env/mod.ts'
import { counter, gauge, type MetricFamily } from '../../protocol/exposition/mod.ts'
import {
  booleanFlag,
  durationFlag,
  type Exporter,
  FlagError,
  type Flags,
  refuseUnknownFlags,
  stringFlag,
} from '../contract.ts'
import { pidFileFamilies } from '../process.ts'
import { SERVER } from './columns.ts'
import { haproxyFamilies, haproxyInfoFamilies } from './families.ts'
import { statisticsFetcher } from './fetch.ts'

export {
  DEFAULT_STAT_OPTIONS,
  type HaproxyPage,
  haproxyFamilies,
  haproxyInfoFamilies,
  parseStatus,
  type StatOptions,
} from './families.ts'

export type HaproxyOptions = {
  readonly net: Pick<Net, 'connectUnix' | 'request'>
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Logger
  readonly flags: Flags
}

const FLAGS = [
  'haproxy.scrape-uri',
  'haproxy.ssl-verify',
  'haproxy.server-metric-fields',
  'haproxy.server-exclude-states',
  'haproxy.timeout',
  'haproxy.pid-file',
]

/** @throws FlagError for a flag it does not know or cannot use */
export function createHaproxyExporter({ net, disk, clock, log, flags }: HaproxyOptions): Exporter {
  refuseUnknownFlags(flags, FLAGS)
  const uri = stringFlag(flags, 'haproxy.scrape-uri', 'http://localhost/;csv')
  const pidFile = stringFlag(flags, 'haproxy.pid-file', '')
  const options = {
    serverFields: serverFields(flags),
    // As upstream: an empty list excludes servers without any state.
    excludedServerStates: new Set(stringFlag(flags, 'haproxy.server-exclude-states', '').split(',')),
  }
  const readStatistics = statisticsFetcher(uri, {
    net,
    disk,
    clock,
    timeoutMs: durationFlag(flags, 'haproxy.timeout', 5000),
    verifyTls: booleanFlag(flags, 'haproxy.ssl-verify', true),
  })
  let scrapes = 0
  let failures = 0
  let complained = ''

  async function scrape(): Promise<MetricFamily[]> {
    scrapes++
    try {
      const { csv, info } = await readStatistics()
      const { families, errors } = haproxyFamilies(csv, options)
      failures += errors.length
      if (errors.length > 0) complain("Can't read CSV", errors[0]!)
      else complained = ''
      return [...families, ...(info === null ? [] : haproxyInfoFamilies(info)), up(1)]
    } catch (error) {
      complain("Can't scrape HAProxy", (error as Error).message)
      return [up(0)]
    }
  }

  /** Once per outage, not once per scrape. */
  function complain(message: string, problem: string): void {
    if (complained === problem) return
    complained = problem
    log.error(message, { target: withoutCredentials(uri), err: problem })
  }

  return {
    name: 'haproxy',
    program: {
      namespace: 'haproxy_exporter',
      title: 'HAProxy Exporter',
      about: 'Prometheus Exporter for HAProxy servers',
    },
    async collect() {
      const families = await scrape()
      return [
        ...families,
        ...(pidFile === '' ? [] : pidFileFamilies(disk, 'haproxy', pidFile)),
        counter('haproxy_exporter_scrapes_total', 'Current total HAProxy scrapes.', [{ labels: [], value: scrapes }]),
        counter('haproxy_exporter_csv_parse_failures_total', 'Number of errors while parsing CSV.', [
          { labels: [], value: failures },
        ]),
      ]
    },
    close: async () => {},
  }
}

const withoutCredentials = (uri: string): string => uri.replace(/\/\/[^/]*@/, '//')

const up = (value: 0 | 1): MetricFamily =>
  gauge('haproxy_up', 'Was the last scrape of HAProxy successful.', [{ labels: [], value }])

/** Numbers of columns, comma-separated; those that no server metric has are without effect, as upstream. */
function serverFields(flags: Flags): ReadonlySet<number> | null {
  if (flags['haproxy.server-metric-fields'] === undefined) return null
  const text = stringFlag(flags, 'haproxy.server-metric-fields', '')
  if (text === '') return new Set()
  return new Set(
    text.split(',').map((field) => {
      if (!/^\d+$/.test(field)) {
        const known = SERVER.map(([index]) => index).join(',')
        throw new FlagError(
          'haproxy.server-metric-fields',
          `invalid server metric field number: "${field}"; known are ${known}`,
        )
      }
      return Number(field)
    }),
  )
}
