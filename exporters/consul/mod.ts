/**
 * The consul exporter: a Consul cluster's members, services, checks and chosen keys under the names, labels and helps
 * of consul_exporter. Semantics: consul_exporter (v0.13).
 */
import { parseGoUrl, redactedUrl } from '../../protocol/config/mod.ts'
import type { Clock, Disk, Logger, Net, TlsOptions } from '../../protocol/env/mod.ts'
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import { compileRegex } from '../../protocol/matchers/mod.ts'
import {
  booleanFlag,
  durationFlag,
  type Exporter,
  FlagError,
  type Flags,
  integerFlag,
  refuseUnknownFlags,
  stringFlag,
} from '../contract.ts'
import { ConsulApi, pathOf } from './api.ts'
import { addHealthState, addKeyValues, addMembers, addServiceHealth, ConsulPage, listOf, mapOf } from './families.ts'

export type ConsulOptions = {
  readonly net: Pick<Net, 'request'>
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Logger
  readonly flags: Flags
  /** Variables of the process: `CONSUL_HTTP_TOKEN` and the others that Consul's own client reads. */
  readonly environment?: Readonly<Record<string, string | undefined>>
}

const FLAGS = [
  'consul.server',
  'consul.ca-file',
  'consul.cert-file',
  'consul.key-file',
  'consul.server-name',
  'consul.timeout',
  'consul.insecure',
  'consul.request-limit',
  'consul.agent-only',
  'consul.allow_stale',
  'consul.require_consistent',
  'consul.health-summary',
  'consul.token-file',
  'kv.prefix',
  'kv.filter',
  'meta.filter',
]
/** Where `consul.request-limit` is 0, which upstream takes for no limit: sockets have one. */
const MOST_REQUESTS = 128

/** @throws FlagError for a flag it does not know or cannot use */
export function createConsulExporter(options: ConsulOptions): Exporter {
  const { net, disk, log, flags, environment = {} } = options
  refuseUnknownFlags(flags, FLAGS)
  const base = serverOf(stringFlag(flags, 'consul.server', 'http://localhost:8500'))
  const isAgentOnly = booleanFlag(flags, 'consul.agent-only', false)
  const wantsSummary = booleanFlag(flags, 'consul.health-summary', true)
  const prefix = stringFlag(flags, 'kv.prefix', '').replace(/^\//, '')
  const keepsKey = filterOf(flags, 'kv.filter', '.*')
  const keepsMeta = filterOf(flags, 'meta.filter', '^$')
  const limit = integerFlag(flags, 'consul.request-limit', 0)
  const api = new ConsulApi({
    net,
    base,
    timeoutMs: durationFlag(flags, 'consul.timeout', 500),
    concurrency: limit > 0 ? limit : MOST_REQUESTS,
    tls: base.startsWith('https:') ? tlsOptions(disk, flags) : null,
    headers: credentials(disk, flags, environment),
    query: {
      ...(environment['CONSUL_NAMESPACE'] ? { ns: environment['CONSUL_NAMESPACE'] } : {}),
      ...(environment['CONSUL_PARTITION'] ? { partition: environment['CONSUL_PARTITION'] } : {}),
      ...(booleanFlag(flags, 'consul.allow_stale', true) ? { stale: '' } : {}),
      ...(booleanFlag(flags, 'consul.require_consistent', false) ? { consistent: '' } : {}),
    },
  })
  let complained = ''

  async function services(page: ConsulPage): Promise<void> {
    const names = isAgentOnly
      ? Object.values(mapOf(await api.get('/v1/agent/services'))).map((service) =>
          String(mapOf(service)['Service'] ?? ''),
        )
      : Object.keys(mapOf(await api.read('/v1/catalog/services')))
    const unique = [...new Set(names)]
    page.add('consul_catalog_services', unique.length)
    if (!wantsSummary || unique.length === 0) return
    const nodeName = isAgentOnly
      ? String(mapOf(mapOf(await api.get('/v1/agent/self'))['Config'])['NodeName'] ?? '')
      : ''
    await allOf(
      unique.map(async (name) => {
        // Consul's API cannot be asked for these.
        if (name.startsWith('/')) return
        const answer = await (isAgentOnly ? api.agentHealth(name) : api.read(`/v1/health/service/${pathOf(name)}`))
        addServiceHealth(page, name, answer, { keepsMeta, nodeName })
      }),
    )
  }

  function questions(page: ConsulPage): readonly Promise<void>[] {
    if (isAgentOnly) return [services(page)]
    const one = async (answer: Promise<unknown>, take: (answer: unknown) => void): Promise<void> => take(await answer)
    return [
      services(page),
      one(api.get('/v1/status/peers'), (peers) => page.add('consul_raft_peers', listOf(peers).length)),
      one(api.get('/v1/status/leader'), (leader) => page.add('consul_raft_leader', leader ? 1 : 0)),
      one(api.read('/v1/catalog/nodes'), (nodes) => page.add('consul_serf_lan_members', listOf(nodes).length)),
      one(api.get('/v1/agent/members'), (members) => addMembers(page, 'lan', members)),
      one(api.get('/v1/agent/members', { wan: '1' }), (members) => addMembers(page, 'wan', members)),
      one(api.read('/v1/health/state/any'), (checks) => addHealthState(page, checks)),
      ...(prefix === ''
        ? []
        : [
            one(api.readIfThere(`/v1/kv/${pathOf(prefix)}`, { recurse: '' }), (pairs) =>
              addKeyValues(page, pairs, keepsKey),
            ),
          ]),
    ]
  }

  return {
    name: 'consul',
    program: { namespace: 'consul_exporter', title: 'Consul Exporter', about: 'Prometheus Exporter for Consul' },
    async collect(): Promise<readonly MetricFamily[]> {
      const page = new ConsulPage()
      try {
        await allOf(questions(page))
        page.add('consul_up', 1)
        complained = ''
      } catch (error) {
        const problem = (error as Error).message
        // Once per outage, not once per scrape.
        if (problem !== complained) log.error("Can't query consul", { server: base, err: problem })
        complained = problem
        page.add('consul_up', 0)
      }
      return page.families()
    },
    close: async () => {},
  }
}

/** Waits for all, so that what was answered is on the page. @throws the first failure */
async function allOf(work: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
}

/** What is before and after host and port has no effect, as upstream. */
function serverOf(text: string): string {
  const full = text.includes('://') ? text : `http://${text}`
  try {
    const { scheme, host } = parseGoUrl(full)
    if (host !== '' && (scheme === 'http' || scheme === 'https')) return `${scheme}://${host}`
  } catch (error) {
    throw new FlagError('consul.server', `invalid consul URL: ${(error as Error).message}`)
  }
  throw new FlagError('consul.server', `invalid consul URL: ${redactedUrl(full)}`)
}

function filterOf(flags: Flags, flag: string, fallback: string): (key: string) => boolean {
  try {
    const regex = compileRegex(stringFlag(flags, flag, fallback))
    return (key) => regex.matcher(key).find()
  } catch (error) {
    if (error instanceof FlagError) throw error
    throw new FlagError(flag, (error as Error).message)
  }
}

function credentials(
  disk: Disk,
  flags: Flags,
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const file = stringFlag(flags, 'consul.token-file', environment['CONSUL_HTTP_TOKEN_FILE'] ?? '')
  const token =
    file === '' ? (environment['CONSUL_HTTP_TOKEN'] ?? '') : readFlagFile(disk, 'consul.token-file', file).trim()
  const user = environment['CONSUL_HTTP_AUTH'] ?? ''
  return {
    ...(token === '' ? {} : { 'x-consul-token': token }),
    ...(user === '' ? {} : { authorization: `Basic ${btoa(user.includes(':') ? user : `${user}:`)}` }),
  }
}

function readFlagFile(disk: Disk, flag: string, path: string): string {
  try {
    return disk.readText(path)
  } catch (error) {
    throw new FlagError(flag, `cannot read "${path}": ${(error as Error).message}`)
  }
}

function tlsOptions(disk: Disk, flags: Flags): TlsOptions {
  const file = (name: 'ca' | 'cert' | 'key'): { readonly [name: string]: string } => {
    const flag = `consul.${name}-file`
    const path = stringFlag(flags, flag, '')
    return path === '' ? {} : { [name]: readFlagFile(disk, flag, path) }
  }
  const serverName = stringFlag(flags, 'consul.server-name', '')
  return {
    insecureSkipVerify: booleanFlag(flags, 'consul.insecure', false),
    ...file('ca'),
    ...file('cert'),
    ...file('key'),
    ...(serverName === '' ? {} : { serverName }),
  }
}
