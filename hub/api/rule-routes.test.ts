/** `/api/v1/rules`: filters and pages. Held against Prometheus 3.5.3 (statuses, texts, tokens). */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, test } from 'node:test'
import type { Group } from '../rules/mod.ts'
import { createHead } from '../tsdb/mod.ts'
import { startApi } from './testing/app.ts'

const group = (file: string, name: string, rules: readonly object[]): Group =>
  ({
    definition: { file, name, limit: 0 },
    intervalMs: 60_000,
    lastDurationSeconds: 0,
    lastEvaluationMs: 0,
    status: rules.map((rule) => ({
      rule: { expr: '1', labels: {}, ...rule },
      health: 'unknown',
      lastError: '',
      lastEvaluationMs: 0,
      evaluationSeconds: 0,
      alerting: 'forMs' in rule ? { state: 'inactive', active: new Map() } : null,
    })),
  }) as unknown as Group

const alert = (name: string, labels: object): object => ({
  name,
  kind: 'alert',
  labels,
  annotations: {},
  forMs: 0,
  keepFiringForMs: 0,
})
const groups = [
  group('r2.yml', 'a', [{ name: 'x2', kind: 'record' }]),
  group('r.yml', 'c', [{ name: 'z', kind: 'record' }]),
  group('r.yml', 'a', [{ name: 'x', kind: 'record', labels: { team: 'one' } }]),
  group('r.yml', 'b', [alert('Y', { team: '{{ $value }}' }), alert('Z', {})]),
  group('r.yml', 'empty', []),
]
const api = await startApi(createHead({ maxBytes: 2 ** 26 }), { groups: () => groups })
after(() => api.close())

const token = (file: string, name: string): string => createHash('sha256').update(`${file};${name}`).digest('hex')

async function rules(
  query: string,
): Promise<{ status: number; groups: string; next: string | undefined; error: string }> {
  const response = await fetch(`${api.url}/api/v1/rules?${query}`)
  const { data, error } = (await response.json()) as {
    data?: { groups: { file: string; name: string; rules: { name: string }[] }[]; groupNextToken?: string }
    error?: string
  }
  const shown = data?.groups.map((each) => `${each.file} ${each.name}: ${each.rules.map(({ name }) => name).join(' ')}`)
  return { status: response.status, groups: shown?.join(', ') ?? '', next: data?.groupNextToken, error: error ?? '' }
}

const ALL = 'r.yml a: x, r.yml b: Y Z, r.yml c: z, r2.yml a: x2'
const SHOWN: readonly (readonly [string, string, (string | undefined)?])[] = [
  ['', ALL],
  ['group_limit=&group_next_token=', ALL],
  ['group_limit=2', 'r.yml a: x, r.yml b: Y Z', token('r.yml', 'c')],
  ['group_limit=4', ALL],
  [`group_limit=1&group_next_token=${token('r.yml', 'c')}`, 'r.yml c: z', token('r2.yml', 'a')],
  ['group_limit=2&rule_group[]=a&rule_group[]=c', 'r.yml a: x, r.yml c: z', token('r2.yml', 'a')],
  ['group_limit=2&type=alert', 'r.yml b: Y Z'],
  [`group_limit=1&type=alert&group_next_token=${token('r.yml', 'c')}`, ''],
  ['match[]={team="one"}', 'r.yml a: x'],
  ['match[]={team=~".%2B"}', 'r.yml a: x, r.yml b: Y'],
  ['match[]={team="one"}&match[]={team="{{+$value+}}"}', 'r.yml a: x, r.yml b: Y'],
  ['file[]=r2.yml', 'r2.yml a: x2'],
]
for (const [query, shown, next] of SHOWN)
  test(`?${query} shows ${shown || 'nothing'}`, async () => {
    assert.deepEqual(await rules(query), { status: 200, groups: shown, next, error: '' })
  })

const REFUSED: readonly (readonly [string, string])[] = [
  [
    'group_next_token=abc',
    'invalid parameter "group_next_token": group_limit needs to be present in order to paginate over the groups',
  ],
  [
    'group_limit=x',
    'invalid parameter "group_limit": group_limit needs to be a valid number: strconv.ParseInt: parsing "x": invalid syntax',
  ],
  [
    'group_limit=9999999999',
    'invalid parameter "group_limit": group_limit needs to be a valid number: strconv.ParseInt: parsing "9999999999": value out of range',
  ],
  ['group_limit=0', 'invalid parameter "group_limit": group_limit needs to be greater than 0'],
  ['group_limit=-1', 'invalid parameter "group_limit": group_limit needs to be greater than 0'],
  [
    'group_limit=1&group_next_token=abc',
    `invalid parameter "group_next_token": invalid group_next_token 'abc'. were rule groups changed?`,
  ],
  ['match[]={', '1:2: parse error: unexpected end of input inside braces'],
  ['match[]={team=~".*"}', 'match[] must contain at least one non-empty matcher'],
  ['type=foo&group_limit=x', 'invalid parameter "type": not supported value "foo"'],
  [
    'exclude_alerts=x&group_limit=x',
    'invalid parameter "exclude_alerts": error converting exclude_alerts: strconv.ParseBool: parsing "x": invalid syntax',
  ],
]
for (const [query, error] of REFUSED)
  test(`?${query} is refused`, async () => {
    assert.deepEqual(await rules(query), { status: 400, groups: '', next: undefined, error })
  })
