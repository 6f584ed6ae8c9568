/** Targets from an HTTP endpoint that answers a list of groups in JSON. Semantics: Prometheus discovery/http/http.go (v3.14). */
import type { OtherDiscovery } from '../../protocol/config/mod.ts'
import { type DiscoveryContext, refreshLoop, type TargetGroup, type TargetLabels } from './group.ts'
import { type HttpAccess, parseJson, statusError } from './http-access.ts'

const JSON_TYPE = /^application\/json(?:;\s*charset=(?:"utf-8"|utf-8))?$/i
const MAX_BODY_BYTES = 64 * 2 ** 20

export function discoverHttp(section: OtherDiscovery, context: DiscoveryContext, access: HttpAccess): Promise<void> {
  return refreshLoop(section.refreshIntervalMs, context, () => askGroups(section, context, access))
}

/** @throws Error when the answer is not a list of groups */
export async function askGroups(
  section: OtherDiscovery,
  { userAgent, signal }: Pick<DiscoveryContext, 'userAgent' | 'signal'>,
  access: HttpAccess,
): Promise<TargetGroup[]> {
  const url = String(section.settings['url'])
  const { status, headers, body } = await access.request({
    method: 'GET',
    url,
    headers: {
      'user-agent': userAgent,
      accept: 'application/json',
      'accept-encoding': 'gzip',
      'x-prometheus-refresh-interval-seconds': String(section.refreshIntervalMs / 1000),
    },
    timeoutMs: section.refreshIntervalMs,
    maxBodyBytes: MAX_BODY_BYTES,
    signal,
  })
  if (status !== 200) throw statusError(url, status, new Uint8Array(0))
  const type = headers['content-type'] ?? ''
  if (!isJsonType(type)) throw new Error(`${url}: unsupported content type ${JSON.stringify(type)}`)
  return groupsFrom(url, parseJson(url, body))
}

export const isJsonType = (header: string): boolean => JSON_TYPE.test(header.trim())

function groupsFrom(url: string, answer: unknown): TargetGroup[] {
  if (answer !== null && !Array.isArray(answer)) throw new Error(`${url}: a list of target groups was expected`)
  return ((answer ?? []) as readonly unknown[]).map((item, index) => {
    const place = `${url}: target group ${index}`
    if (item === null) throw new Error(`${place}: nil target group item found (index ${index})`)
    if (typeof item !== 'object' || Array.isArray(item)) throw new Error(`${place}: an object was expected`)
    const { targets = [], labels = {}, ...rest } = item as { targets?: unknown; labels?: unknown }
    for (const key of Object.keys(rest)) throw new Error(`${place}: unknown field ${JSON.stringify(key)}`)
    return {
      source: `${url}:${index}`,
      targets: addresses(place, targets).map((address) => ({ __address__: address })),
      labels: { ...texts(place, labels), __meta_url: url },
    }
  })
}

function addresses(place: string, value: unknown): readonly string[] {
  if (value === null) return []
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'string'))
    throw new Error(`${place}: targets must be a list of texts`)
  return value
}

function texts(place: string, value: unknown): TargetLabels {
  if (value === null) return {}
  if (typeof value !== 'object' || Array.isArray(value)) throw new Error(`${place}: labels must be an object of texts`)
  for (const [name, text] of Object.entries(value)) {
    if (name === '' || !name.isWellFormed())
      throw new Error(`${place}: ${JSON.stringify(name)} is not a valid label name`)
    if (typeof text !== 'string') throw new Error(`${place}: label ${JSON.stringify(name)} must be a text`)
  }
  return value as TargetLabels
}
