/** Runs discovery cases (`discovery/cases.json` of the conformance kit and the files beside it) on scripted servers. */
import { EMPTY_HTTP, type OtherDiscovery } from '../../protocol/config/mod.ts'
import {
  type Clock,
  type HttpRequest,
  type HttpResponse,
  type Logger,
  type Net,
  NetError,
} from '../../protocol/env/mod.ts'
import { Summary } from '../../protocol/exposition/mod.ts'
import { discoverConsul } from './consul.ts'
import { readGroups } from './file.ts'
import type { DiscoveryContext, TargetGroup, TargetLabels } from './group.ts'
import { askGroups, isJsonType } from './http.ts'
import { HttpAccess } from './http-access.ts'

type Group = { readonly targets: readonly string[]; readonly labels: TargetLabels }
export type DiscoveryCases = {
  readonly file?: {
    readonly cases: readonly { readonly file: string; readonly groups?: readonly Group[]; readonly error?: boolean }[]
  }
  readonly http?: {
    readonly response: string
    readonly groups: readonly Group[]
    readonly contentType: readonly { readonly header: string; readonly match: boolean }[]
  }
  readonly consul?: {
    readonly responses: Readonly<Record<string, unknown>>
    readonly groups: readonly { readonly source: string; readonly labels: TargetLabels; readonly targetCount: number }[]
  }
}
export type CaseResult = { readonly name: string; readonly error: string | null }
export type CaseDeps = { readonly readText: (name: string) => string; readonly clock: Clock; readonly log: Logger }

export async function runDiscoveryCases(data: DiscoveryCases, deps: CaseDeps): Promise<CaseResult[]> {
  const out: CaseResult[] = []
  const check = async (name: string, run: () => unknown): Promise<void> => {
    try {
      await run()
      out.push({ name, error: null })
    } catch (error) {
      out.push({ name, error: (error as Error).message })
    }
  }
  for (const { file, groups, error } of data.file?.cases ?? []) {
    await check(`file ${file}`, () => {
      const got = tryGroups(file, deps)
      if (error) same(typeof got, 'string')
      else
        same(
          plain(got),
          (groups ?? []).map((group) => ({ ...group, labels: { ...group.labels, __meta_filepath: file } })),
        )
    })
  }
  for (const { header, match } of data.http?.contentType ?? [])
    await check(`http content type ${header}`, () => same(isJsonType(header), match))
  if (data.http) {
    const { response, groups } = data.http
    await check('http answer', async () => same(plain(await askOnce(deps, response)), withUrl(groups)))
    for (const broken of [{ status: 500 }, { contentType: 'text/plain' }, { body: '[' }])
      await check(`http failure ${JSON.stringify(broken)}`, () => mustFail(() => askOnce(deps, response, broken)))
  }
  if (data.consul) {
    const { responses, groups } = data.consul
    await check('consul groups', async () => {
      const got = await consulOnce(deps, responses)
      const shown = got.map(({ source, labels, targets }) => ({ source, labels, targetCount: targets.length }))
      same(
        shown.sort((a, b) => (a.source < b.source ? -1 : 1)),
        [...groups].sort((a, b) => (a.source < b.source ? -1 : 1)),
      )
    })
  }
  return out
}

const URL_ASKED = 'http://sd.example/targets'

function tryGroups(file: string, { readText }: CaseDeps): TargetGroup[] | string {
  try {
    return readGroups(file, { readText, stat: () => null })
  } catch (error) {
    return (error as Error).message
  }
}

const plain = (groups: readonly TargetGroup[] | string): unknown =>
  typeof groups === 'string'
    ? groups
    : groups.map(({ targets, labels }) => ({ targets: targets.map((target) => target['__address__']), labels }))

const withUrl = (groups: readonly Group[]): Group[] =>
  groups.map(({ targets, labels }) => ({
    targets,
    labels: Object.fromEntries(
      Object.entries(labels).map(([name, value]) => [name, value === '$URL' ? URL_ASKED : value]),
    ),
  }))

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, own]) => [key, sorted(own)] as const)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function same(got: unknown, want: unknown): void {
  const [a, b] = [JSON.stringify(sorted(got)), JSON.stringify(sorted(want))]
  if (a !== b) throw new Error(`got ${a}, want ${b}`)
}

async function mustFail(run: () => Promise<unknown>): Promise<void> {
  let got: unknown
  try {
    got = await run()
  } catch {
    return
  }
  throw new Error(`an error was expected, got ${JSON.stringify(got)}`)
}

function scripted(answer: (request: HttpRequest) => Promise<HttpResponse>): Net {
  const refuse = (): never => {
    throw new NetError('UNSUPPORTED', 'only HTTP is scripted')
  }
  return {
    request: answer,
    listenTcp: refuse,
    serveHttp: refuse,
    connectTcp: refuse,
    connectUnix: refuse,
    resolveDns: refuse,
  }
}

const accessOver = (net: Net, { clock, readText }: CaseDeps): HttpAccess =>
  new HttpAccess(EMPTY_HTTP, { net, clock, readText, tokens: new WeakMap() })

function askOnce(
  deps: CaseDeps,
  response: string,
  broken: { readonly status?: number; readonly contentType?: string; readonly body?: string } = {},
): Promise<TargetGroup[]> {
  const net = scripted(async () => ({
    status: broken.status ?? 200,
    headers: { 'content-type': broken.contentType ?? 'application/json; charset=utf-8' },
    body: new TextEncoder().encode(broken.body ?? deps.readText(response)),
  }))
  const section: OtherDiscovery = {
    kind: 'http',
    settings: { url: URL_ASKED },
    http: EMPTY_HTTP,
    refreshIntervalMs: 60_000,
  }
  const signal = new AbortController().signal
  return askGroups(section, { userAgent: 'test', signal }, accessOver(net, deps))
}

/** The groups of the first round. */
function consulOnce(deps: CaseDeps, responses: Readonly<Record<string, unknown>>): Promise<readonly TargetGroup[]> {
  const stop = new AbortController()
  const net = scripted(async ({ url }) => {
    const { pathname } = new URL(url)
    if (!(pathname in responses)) throw new NetError('ECONNREFUSED', `${url} is not scripted`)
    return {
      status: 200,
      headers: { 'x-consul-index': '1' },
      body: new TextEncoder().encode(JSON.stringify(responses[pathname])),
    }
  })
  return new Promise((resolve, reject) => {
    const context: DiscoveryContext = {
      clock: deps.clock,
      net,
      disk: null as never,
      log: deps.log,
      userAgent: 'test',
      environment: {},
      directory: '.',
      signal: stop.signal,
      counters: { refreshes: 0, failures: 0, durations: new Summary() },
      emit: (groups) => {
        stop.abort()
        resolve(groups)
      },
    }
    const settings = { server: 'consul.example', allow_stale: false }
    const section: OtherDiscovery = { kind: 'consul', settings, http: EMPTY_HTTP, refreshIntervalMs: 30_000 }
    discoverConsul(section, context, accessOver(net, deps)).catch(reject)
  })
}
