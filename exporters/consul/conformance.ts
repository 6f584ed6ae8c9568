/**
 * The kit's consul cases: services that are registered with a Consul of one node, and what must be on the page. A stub
 * answers as such a Consul does; where the kit holds the answers for a case, those are used as well.
 */
import type { Clock, Disk, HttpRequest, Logger, Net } from '../../protocol/env/mod.ts'
import { type CaseResult, caseOf, comparePage, expectEqual } from '../cases.ts'
import { createConsulExporter } from './mod.ts'

type Check = { readonly CheckID?: string; readonly Name?: string; readonly Status?: string }
type Service = {
  readonly ID?: string
  readonly Name: string
  readonly Tags?: readonly string[]
  readonly Meta?: Readonly<Record<string, string>>
  readonly Check?: Check
  readonly Checks?: readonly Check[]
}
type Cases = {
  readonly scrapeURI: readonly { readonly uri: string; readonly ok: boolean }[]
  readonly cases: readonly {
    readonly name: string
    readonly services: readonly Service[]
    readonly requestLimit: number
    readonly expected: string
  }[]
}
type Answers = Readonly<Record<string, unknown>>
type Env = { readonly disk: Disk; readonly clock: Clock; readonly log: Logger }

const NODE = 'node1'
const VERSION = '1.22.0'

/** @param readText a file of `exporters/consul` by its name */
export async function runConsulCases(readText: (name: string) => string, env: Env): Promise<CaseResult[]> {
  const { scrapeURI, cases } = JSON.parse(readText('cases.json')) as Cases
  const { sets } = JSON.parse(readText('api-responses.json')) as { sets: Readonly<Record<string, Answers>> }
  const out: CaseResult[] = []
  for (const { uri, ok } of scrapeURI)
    out.push(
      await caseOf(`scrape URI ${uri}`, () => {
        let isTaken = true
        try {
          createConsulExporter({ ...env, net: netOf({}), flags: { 'consul.server': uri } })
        } catch {
          isTaken = false
        }
        expectEqual(isTaken, ok)
      }),
    )
  for (const { name, services, requestLimit, expected } of cases) {
    const given = sets[name]
    for (const [kind, answers] of [
      ['', answersOf(services)],
      ...(given ? [[', answers of the kit', given]] : []),
    ] as const) {
      const exporter = createConsulExporter({
        ...env,
        net: netOf(answers as Answers),
        flags: { 'meta.filter': 'meta_.*', 'consul.request-limit': String(requestLimit) },
      })
      const page = expected.replaceAll('$NODE', NODE).replaceAll('$VERSION', VERSION).replaceAll('", ', '",')
      const compared = new Set([...page.matchAll(/^# TYPE (\S+)/gm)].map(([, metric]) => metric))
      const families = (await exporter.collect()).filter((family) => compared.has(family.name))
      out.push(...comparePage(`${name}${kind}`, families, page))
    }
  }
  return out
}

function netOf(answers: Answers): Pick<Net, 'request'> {
  return {
    async request({ method, url }: HttpRequest) {
      const { pathname, searchParams } = new URL(url)
      const key = `${method} ${decodeURIComponent(pathname)}${searchParams.has('wan') ? '?wan=1' : ''}`
      const body = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
      if (answers[key] === undefined) return { status: 404, headers: {}, body: body('not found') }
      return { status: 200, headers: {}, body: body(answers[key]) }
    },
  }
}

/** As one node answers after `PUT /v1/agent/service/register` of each: checks begin as critical. */
function answersOf(services: readonly Service[]): Answers {
  const serf = { Node: NODE, CheckID: 'serfHealth', Name: 'Serf Health Status', Status: 'passing', ServiceID: '' }
  const all: readonly Service[] = [{ ID: 'consul', Name: 'consul' }, ...services]
  const checksOf = ({ ID, Name, Check, Checks = [] }: Service): readonly object[] =>
    [...(Check ? [Check] : []), ...Checks].map((check, i) => ({
      Node: NODE,
      CheckID: check.CheckID ?? `service:${ID ?? Name}${i > 0 ? `:${i + 1}` : ''}`,
      Name: check.Name ?? `Service '${Name}' check`,
      Status: check.Status ?? 'critical',
      ServiceID: ID ?? Name,
      ServiceName: Name,
    }))
  const member = (name: string): object => ({
    Name: name,
    Status: 1,
    Tags: { build: `${VERSION}:abcdef12`, dc: 'dc1', role: 'consul' },
  })
  const names = [...new Set(all.map(({ Name }) => Name))]
  return {
    'GET /v1/status/peers': ['127.0.0.1:8300'],
    'GET /v1/status/leader': '127.0.0.1:8300',
    'GET /v1/catalog/nodes': [{ Node: NODE, Address: '127.0.0.1' }],
    'GET /v1/agent/members': [member(NODE)],
    'GET /v1/agent/members?wan=1': [member(`${NODE}.dc1`)],
    'GET /v1/catalog/services': Object.fromEntries(
      names.map((name) => [name, all.filter(({ Name }) => Name === name).flatMap(({ Tags = [] }) => Tags)]),
    ),
    'GET /v1/health/state/any': [serf, ...all.flatMap(checksOf)],
    ...Object.fromEntries(
      names.map((name) => [
        `GET /v1/health/service/${name}`,
        all
          .filter(({ Name }) => Name === name)
          .map((service) => ({
            Node: { Node: NODE },
            Service: { ID: service.ID ?? name, Service: name, Tags: service.Tags ?? [], Meta: service.Meta ?? {} },
            Checks: [serf, ...checksOf(service)],
          })),
      ]),
    ),
  }
}
