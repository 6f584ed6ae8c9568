import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { formatExposition } from '../../protocol/exposition/mod.ts'
import { FlagError } from '../contract.ts'
import { KIT, testEnv } from '../testing/env.ts'
import { runMemcachedCases } from './conformance.ts'
import { bySlab, createMemcachedExporter, MemcachedAnswerError, memcachedFamilies, parseStats } from './mod.ts'

const folder = path.join(KIT, 'exporters/memcached')
const unreached = async (): Promise<never> => {
  throw new Error('BUG: these tests ask nobody')
}
const net = { connectTcp: unreached, connectUnix: unreached }

test('the kit: expected page, settings, time values', { skip: !fs.existsSync(folder) && 'kit is absent' }, async () => {
  const results = await runMemcachedCases((name) => fs.readFileSync(path.join(folder, name), 'utf8'))
  assert.ok(results.length > 200)
  assert.deepEqual(
    results.filter(({ error }) => error !== null),
    [],
  )
})

test('what is not STAT or END is refused with the line that says so', () => {
  assert.throws(() => parseStats('stats', 'SERVER_ERROR out of memory\r\n'), {
    name: 'MemcachedAnswerError',
    message: 'Unexpected line in the answer to "stats": "SERVER_ERROR out of memory"; is this a memcached server?',
  })
  assert.throws(() => parseStats('stats', 'STAT pid 1\r\n'), MemcachedAnswerError)
})

test('mem_requested of the slabs stands in where the items do not say it', () => {
  const stats = new Map([['cmd_set', '0'], ...['cas_misses', 'cas_hits', 'cas_badval'].map((k) => [k, '0'] as const)])
  const slabs = bySlab(
    new Map([
      ['3:mem_requested', '7'],
      ['3:cmd_set', '2'],
      ['3:cas_hits', '1'],
      ['3:cas_badval', '0'],
    ]),
  )
  const text = formatExposition(memcachedFamilies(stats, new Map(), new Map(), slabs).families)
  assert.match(
    text,
    /# TYPE memcached_slab_mem_requested_bytes gauge\nmemcached_slab_mem_requested_bytes\{slab="3"\} 7\n/,
  )
  assert.match(text, /memcached_slab_commands_total\{command="set",slab="3",status="hit"\} 1\n/)
  assert.match(text, /memcached_up 1\n/)
  const items = new Map([['3', new Map([['mem_requested', '9']])]])
  const both = formatExposition(memcachedFamilies(stats, new Map(), items, slabs).families)
  assert.match(
    both,
    /# TYPE memcached_slab_mem_requested_bytes counter\nmemcached_slab_mem_requested_bytes\{slab="3"\} 9\n#/,
  )
})

test('an unreadable value is left out and makes memcached_up 0', () => {
  const page = memcachedFamilies(
    new Map([
      ['uptime', 'soon'],
      ['curr_items', '3'],
    ]),
    new Map(),
    new Map(),
    new Map(),
  )
  const text = formatExposition(page.families)
  assert.match(text, /memcached_up 0/)
  assert.match(text, /memcached_current_items 3/)
  assert.doesNotMatch(text, /uptime/)
  assert.equal(page.errors[0], 'uptime: "soon" is not a number')
})

// Numbers are Go's, and a time value is two of them.
for (const [key, text, shown] of [
  ['uptime', '1e3', 'memcached_uptime_seconds 1000'],
  ['uptime', '0x1p4', 'memcached_uptime_seconds 16'],
  ['uptime', '18446744073709551615', 'memcached_uptime_seconds 1.8446744073709552e+19'],
  ['uptime', '+Inf', 'memcached_uptime_seconds +Inf'],
  ['uptime', '1e400', null],
  ['uptime', '', null],
  ['rusage_user', '3.000005', 'memcached_process_user_cpu_seconds_total 3.000005'],
  ['rusage_user', '1e1.5', 'memcached_process_user_cpu_seconds_total 10.000005'],
  ['rusage_user', '3.5.1', null],
  ['rusage_user', '3.', null],
  ['version', '1.6.18', 'memcached_version{version="1.6.18"} 1'],
  ['pid', '7', 'memcached_version{version=""} 1'],
] as const)
  test(`${key} ${JSON.stringify(text)} gives ${shown ?? 'an error'}`, () => {
    const stats = new Map(['cmd_set', 'cas_misses', 'cas_hits', 'cas_badval'].map((k): [string, string] => [k, '0']))
    const page = memcachedFamilies(stats.set(key, text), new Map(), new Map(), new Map())
    const lines = formatExposition(page.families).split('\n')
    assert.ok(lines.includes(`memcached_up ${shown === null ? 0 : 1}`))
    if (shown !== null) assert.ok(lines.includes(shown), lines.join('\n'))
  })

for (const [flags, message] of [
  [{ 'memcached.adress': 'x' }, /^Flag memcached.adress: unknown; known are memcached.address, /],
  [{ 'memcached.address': 'nowhere' }, /must be HOST:PORT or the path of a unix socket, got "nowhere"/],
  [{ 'memcached.timeout': 'long' }, /^Flag memcached.timeout: /],
  [{ 'memcached.tls.enable': 'true', 'memcached.tls.ca-file': '/nope' }, /cannot read "\/nope"/],
] as const)
  test(`flags ${JSON.stringify(flags)} are refused`, () => {
    assert.throws(
      () => createMemcachedExporter({ ...testEnv, net, flags }),
      (error) => error instanceof FlagError && message.test(error.message),
    )
  })
