/**
 * `/api/v1/openapi.yaml`: what the API answers to, written from one table. A test holds the table against the routes.
 * Semantics: Prometheus web/api/v1/openapi.go (v3.14): versions 3.1 (by default) and 3.2, which alone tells of events.
 */
import type { Hono } from 'hono'
import type { Vars } from './app.ts'
import type { ApiDeps } from './deps.ts'

/** `name`, `name!` (required), `name[]`; behind a colon `int` or `bool`, else text. */
type Row = readonly [methods: string, path: string, tag: string, summary: string, parameters: string]

const SPAN = 'start end'
const SEARCH = `match[] search[] fuzz_threshold:int fuzz_alg case_sensitive:bool sort_by sort_dir include_score:bool ${SPAN} limit:int batch_size:int`
const ROWS: readonly Row[] = [
  [
    'get post',
    '/query',
    'query',
    'Evaluate an instant query',
    'query! time timeout limit:int lookback_delta stats explain',
  ],
  [
    'get post',
    '/query_range',
    'query',
    'Evaluate a range query',
    'query! start! end! step! timeout limit:int lookback_delta stats explain',
  ],
  ['get post', '/query_exemplars', 'query', 'Exemplars of the series that an expression selects', `query! ${SPAN}`],
  ['get post', '/format_query', 'query', 'Format an expression', 'query!'],
  ['get post', '/parse_query', 'query', 'Parse an expression', 'query!'],
  ['get post', '/labels', 'labels', 'Names of labels', `${SPAN} match[] limit:int`],
  ['get', '/label/{name}/values', 'labels', 'Values of a label', `${SPAN} match[] limit:int`],
  ['get post', '/search/metric_names', 'metadata', 'Search metric names', `${SEARCH} include_metadata:bool`],
  ['get post', '/search/label_names', 'labels', 'Search label names', SEARCH],
  ['get post', '/search/label_values', 'labels', 'Search values of a label', `label! ${SEARCH}`],
  ['get post', '/series', 'series', 'Series by their labels', `${SPAN} match[]! limit:int`],
  ['get', '/metadata', 'metadata', 'Type, help and unit of metrics', 'metric limit:int limit_per_metric:int'],
  ['get', '/scrape_pools', 'targets', 'Names of all scrape pools', ''],
  ['get', '/scrape_pools/config', 'targets', 'Configuration of a scrape pool', 'scrapePool!'],
  ['get', '/targets', 'targets', 'Targets, active and dropped', 'state scrapePool'],
  ['get', '/targets/metadata', 'targets', 'Metadata of targets', 'match_target metric limit:int'],
  ['get', '/targets/relabel_steps', 'targets', 'What each relabelling rule makes of labels', 'scrapePool! labels!'],
  [
    'get',
    '/rules',
    'rules',
    'Alerting and recording rules',
    'type rule_name[] rule_group[] file[] match[] exclude_alerts:bool group_limit:int group_next_token',
  ],
  ['get', '/alerts', 'alerts', 'Active alerts', ''],
  ['get', '/alertmanagers', 'alerts', 'Alertmanagers', ''],
  ['get', '/status/config', 'status', 'The configuration', ''],
  ['get', '/status/runtimeinfo', 'status', 'The state of the process', ''],
  ['get', '/status/buildinfo', 'status', 'What was built', ''],
  ['get', '/status/flags', 'status', 'Flags of the command line', ''],
  ['get', '/status/tsdb', 'status', 'Cardinality of the storage', 'limit:int'],
  ['get', '/status/tsdb/blocks', 'status', 'Blocks of the storage', ''],
  ['get', '/status/walreplay', 'status', 'How far the log has been replayed', ''],
  ['get', '/status/ingest', 'status', 'Counters of what was taken in', ''],
  ['get', '/status/self_metrics', 'status', 'Metrics of the server itself', 'metric_name_pattern'],
  ['post put', '/admin/tsdb/delete_series', 'admin', 'Delete series', `match[]! ${SPAN}`],
  ['post put', '/admin/tsdb/clean_tombstones', 'admin', 'Remove what was deleted from disk', ''],
  ['post put', '/admin/tsdb/snapshot', 'admin', 'Copy the storage', 'skip_head:bool'],
  ['post', '/read', 'remote', 'Remote read', ''],
  ['post', '/write', 'remote', 'Remote write', ''],
  ['post', '/otlp/v1/metrics', 'otlp', 'Metrics of OpenTelemetry', ''],
  ['get', '/notifications', 'notifications', 'What the server has to say of itself', ''],
  ['get', '/notifications/live', 'notifications', 'The same as events, as they happen', ''],
  ['get', '/features', 'features', 'What the server can do', ''],
  ['get', '/agents', 'agents', 'Agents', ''],
  ['get', '/agents/{agent}/gaps', 'agents', "Gaps in an agent's data", 'from to'],
  ['get', '/sd/agents', 'agents', 'Agents for the HTTP service discovery of others', ''],
]
/** Only version 3.2 has words for a stream of events. */
const EVENTS = '/notifications/live'

export function openapiRoute(app: Hono<Vars>, { reach, build }: Pick<ApiDeps, 'reach' | 'build'>): void {
  app.get('/api/v1/openapi.yaml', (c) => {
    const version = /^3\.2(?:\.0)?$/.test(c.req.query('openapi_version') ?? '') ? '3.2.0' : '3.1.0'
    const document = openapi(version, `${reach.externalUrl}/api/v1`, build.version)
    return c.body(yaml(document, 0), 200, {
      'content-type': 'application/yaml; charset=utf-8',
      'cache-control': 'no-cache, no-store, must-revalidate',
    })
  })
}

type Yaml = string | number | boolean | readonly Yaml[] | { readonly [key: string]: Yaml }

export function openapi(version: '3.1.0' | '3.2.0', server: string, apiVersion: string): Yaml {
  const rows = ROWS.filter(([, path]) => version === '3.2.0' || path !== EVENTS)
  const text = { type: 'string' } as const
  const answer = (status: string, more: Readonly<Record<string, Yaml>>): Yaml => ({
    type: 'object',
    required: ['status', ...Object.keys(more)],
    properties: { status: { type: 'string', const: status }, ...more },
  })
  return {
    openapi: version,
    info: { title: 'Heliograph API', description: "Prometheus's HTTP API, and agents.", version: apiVersion },
    servers: [{ url: server }],
    paths: Object.fromEntries(rows.map((row) => [row[1], pathItem(row)])),
    components: {
      schemas: {
        Success: answer('success', { data: { description: 'By endpoint.' } }),
        Error: answer('error', { errorType: text, error: text }),
      },
    },
    tags: [...new Set(rows.map(([, , tag]) => tag))].map((name) => ({ name })),
  }
}

function pathItem([methods, path, tag, summary, given]: Row): Yaml {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => `${name}!`)
  const names = given.split(' ').filter((each) => each !== '')
  const isForm = methods === 'get post'
  return Object.fromEntries(
    methods.split(' ').map((method) => {
      const inQuery = isForm && method === 'post' ? [] : names
      const operation = {
        tags: [tag],
        summary,
        operationId: [method, ...path.split(/[/{}]+/)].filter((part) => part !== '').join('-'),
        parameters: [
          ...inPath.map((each) => parameter(each, 'path')),
          ...inQuery.map((each) => parameter(each, 'query')),
        ],
        ...(isForm && method === 'post' && { requestBody: form(names) }),
        responses: responses(path),
      }
      return [method, operation]
    }),
  )
}

function read(spec: string): { name: string; required: boolean; schema: Yaml } {
  const [, name, many = '', required, type = 'text'] = /^(\w+)(\[\])?(!)?(?::(\w+))?$/.exec(spec)!
  const one = { text: { type: 'string' }, int: { type: 'integer' }, bool: { type: 'boolean' } }[type]!
  return { name: name! + many, required: required === '!', schema: many === '' ? one : { type: 'array', items: one } }
}

function parameter(spec: string, where: 'path' | 'query'): Yaml {
  const { name, required, schema } = read(spec)
  return { name, in: where, required, schema }
}

function form(specs: readonly string[]): Yaml {
  const fields = specs.map(read)
  const schema = {
    type: 'object',
    required: fields.filter(({ required }) => required).map(({ name }) => name),
    properties: Object.fromEntries(fields.map(({ name, schema: each }) => [name, each])),
  }
  return { required: true, content: { 'application/x-www-form-urlencoded': { schema } } }
}

function responses(path: string): Yaml {
  const json = (name: string): Yaml => ({ 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } })
  const event = { type: 'object', required: ['data'], properties: { data: { type: 'string' } } }
  const content = path === EVENTS ? { 'text/event-stream': { itemSchema: event } } : json('Success')
  return { 200: { description: 'Success.', content }, default: { description: 'An error.', content: json('Error') } }
}

/** Every text is quoted, every list and map is a block. */
function yaml(value: Yaml, depth: number): string {
  const indent = '  '.repeat(depth)
  const below = (each: Yaml): string => {
    const isEmpty = typeof each === 'object' && Object.keys(each).length === 0
    return typeof each !== 'object' || isEmpty ? ` ${JSON.stringify(each)}\n` : `\n${yaml(each, depth + 1)}`
  }
  if (Array.isArray(value)) return value.map((each: Yaml) => `${indent}-${below(each)}`).join('')
  const entries = Object.entries(value as Readonly<Record<string, Yaml>>)
  return entries.map(([key, each]) => `${indent}${JSON.stringify(key)}:${below(each)}`).join('')
}
