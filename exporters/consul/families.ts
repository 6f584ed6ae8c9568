/**
 * Consul's answers as metric families. Names, helps, labels and order of questions: consul_exporter
 * pkg/exporter/consul_exporter.go (v0.13).
 */
import { gauge, type Metric, type MetricFamily, readGoFloat } from '../../protocol/exposition/mod.ts'
import { compareStrings } from '../../protocol/labels/mod.ts'

const HELPS = {
  consul_up: 'Was the last query of Consul successful.',
  consul_raft_peers: 'How many peers (servers) are in the Raft cluster.',
  consul_raft_leader: 'Does Raft cluster have a leader (according to this node).',
  consul_serf_lan_members: 'How many members are in the cluster.',
  consul_serf_lan_member_info: 'Information of member in the cluster.',
  consul_serf_lan_member_status: 'Status of member in the cluster. 1=Alive, 2=Leaving, 3=Left, 4=Failed.',
  consul_serf_wan_member_info: 'Information of member in the wan cluster.',
  consul_serf_wan_member_status: 'Status of member in the wan cluster. 1=Alive, 2=Leaving, 3=Left, 4=Failed.',
  consul_catalog_services: 'How many services are in the cluster.',
  consul_service_tag: 'Tags of a service.',
  consul_service_meta_info: 'Meta of a service.',
  consul_catalog_service_node_healthy: 'Is this service healthy on this node?',
  consul_health_node_status: 'Status of health checks associated with a node.',
  consul_health_service_status: 'Status of health checks associated with a service.',
  consul_service_checks: 'Link the service id and check name if available.',
  consul_catalog_kv:
    "The values for selected keys in Consul's key/value catalog. Keys with non-numeric values are omitted.",
} as const

export type ConsulMetric = keyof typeof HELPS

const STATUSES = ['passing', 'warning', 'critical', 'maintenance'] as const

/** Collects series by metric; of two that are the same the later one stays, as a page may hold no series twice. */
export class ConsulPage {
  readonly #series = new Map<ConsulMetric, Map<string, Metric>>()

  add(name: ConsulMetric, value: number, labels: Readonly<Record<string, string>> = {}): void {
    const pairs = Object.entries(labels)
      .sort(([a], [b]) => compareStrings(a, b))
      .flat()
    let series = this.#series.get(name)
    if (series === undefined) this.#series.set(name, (series = new Map()))
    series.set(pairs.join('\n'), { labels: pairs, value })
  }

  families(): MetricFamily[] {
    return [...this.#series].map(([name, series]) => gauge(name, HELPS[name], [...series.values()]))
  }
}

type Fields = Readonly<Record<string, unknown>>

/** Go's client reads `null` as no elements. @throws Error for anything but a list */
export function listOf(answer: unknown): readonly Fields[] {
  if (answer === null) return []
  if (!Array.isArray(answer)) throw new Error(`unexpected answer: want a list, got ${typeof answer}`)
  return answer.map(fieldsOf)
}

/** @throws Error for anything but an object or null */
export function mapOf(answer: unknown): Fields {
  if (answer === null) return {}
  if (typeof answer !== 'object' || Array.isArray(answer)) throw new Error('unexpected answer: want an object')
  return answer as Fields
}

const fieldsOf = (value: unknown): Fields => (value !== null && typeof value === 'object' ? (value as Fields) : {})
const textOf = (fields: Fields, key: string): string => (typeof fields[key] === 'string' ? fields[key] : '')

export function addMembers(page: ConsulPage, kind: 'lan' | 'wan', answer: unknown): void {
  for (const member of listOf(answer)) {
    const tags = fieldsOf(member['Tags'])
    const status = Number(member['Status'] ?? 0)
    const own = { member: textOf(member, 'Name'), ...(kind === 'wan' ? { dc: textOf(tags, 'dc') } : {}) }
    const version = textOf(tags, 'build').split(':')[0]!
    page.add(`consul_serf_${kind}_member_info`, status, { ...own, role: textOf(tags, 'role'), version })
    page.add(`consul_serf_${kind}_member_status`, status, own)
  }
}

export function addHealthState(page: ConsulPage, answer: unknown): void {
  for (const check of listOf(answer)) {
    const own = { check: textOf(check, 'CheckID'), node: textOf(check, 'Node') }
    const service = { service_id: textOf(check, 'ServiceID'), service_name: textOf(check, 'ServiceName') }
    for (const status of STATUSES) {
      const value = check['Status'] === status ? 1 : 0
      if (service.service_id === '') page.add('consul_health_node_status', value, { ...own, status })
      else page.add('consul_health_service_status', value, { ...own, ...service, status })
    }
    if (service.service_id !== '')
      page.add('consul_service_checks', 1, {
        ...service,
        check_id: own.check,
        check_name: textOf(check, 'Name'),
        node: own.node,
      })
  }
}

/**
 * Instances of one service, each with its checks; healthy is one whose checks are all passing.
 * @param nodeName of instances that do not say their node
 */
export function addServiceHealth(
  page: ConsulPage,
  name: string,
  answer: unknown,
  { keepsMeta, nodeName = '' }: { readonly keepsMeta: (key: string) => boolean; readonly nodeName?: string },
): void {
  for (const entry of listOf(answer)) {
    const service = fieldsOf(entry['Service'])
    // Names are told apart by case here, and not by Consul: these are another service's.
    if (textOf(service, 'Service') !== name) break
    const own = { service_id: textOf(service, 'ID'), node: textOf(fieldsOf(entry['Node']), 'Node') || nodeName }
    const isHealthy = listOf(entry['Checks'] ?? null).every((check) => check['Status'] === 'passing')
    page.add('consul_catalog_service_node_healthy', isHealthy ? 1 : 0, { ...own, service_name: name })
    const tags = Array.isArray(service['Tags']) ? service['Tags'] : []
    for (const tag of tags) page.add('consul_service_tag', 1, { ...own, tag: String(tag) })
    for (const [key, value] of Object.entries(fieldsOf(service['Meta'])))
      if (keepsMeta(key)) page.add('consul_service_meta_info', 1, { ...own, key, value: String(value) })
  }
}

/** Values are base64 texts; those that are no number are left out. */
export function addKeyValues(page: ConsulPage, answer: unknown, keeps: (key: string) => boolean): void {
  for (const pair of listOf(answer)) {
    const key = textOf(pair, 'Key')
    if (!keeps(key)) continue
    const value = readGoFloat(fromBase64(textOf(pair, 'Value')))
    if (typeof value === 'number') page.add('consul_catalog_kv', value, { key })
  }
}

function fromBase64(text: string): string {
  try {
    return atob(text)
  } catch {
    return ''
  }
}
