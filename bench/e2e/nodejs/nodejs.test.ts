import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { createNet, nodeDisk } from '../../../agent/env/mod.ts'
import { createRuntimeStats } from '../../../agent/env/runtime-stats.ts'
import { FlagError } from '../../../exporters/contract.ts'
import { decodeSnapshot } from '../../../exporters/nodejs/inspector.ts'
import { createNodejsExporter } from '../../../exporters/nodejs/mod.ts'
import { formatExposition, parseExposition } from '../../../protocol/exposition/mod.ts'
import { until } from '../client.ts'

/** Families of prom-client 15.1.3's `collectDefaultMetrics` on Linux. */
const PROM_CLIENT = [
  ...['process_cpu_user_seconds_total', 'process_cpu_system_seconds_total', 'process_cpu_seconds_total'],
  ...['process_start_time_seconds', 'process_resident_memory_bytes', 'process_virtual_memory_bytes'],
  ...['process_heap_bytes', 'process_open_fds', 'process_max_fds', 'nodejs_eventloop_lag_seconds'],
  ...['nodejs_eventloop_lag_min_seconds', 'nodejs_eventloop_lag_max_seconds', 'nodejs_eventloop_lag_mean_seconds'],
  ...['nodejs_eventloop_lag_stddev_seconds', 'nodejs_eventloop_lag_p50_seconds', 'nodejs_eventloop_lag_p90_seconds'],
  ...['nodejs_eventloop_lag_p99_seconds', 'nodejs_active_resources', 'nodejs_active_resources_total'],
  ...['nodejs_active_handles', 'nodejs_active_handles_total', 'nodejs_active_requests'],
  ...['nodejs_active_requests_total', 'nodejs_heap_size_total_bytes', 'nodejs_heap_size_used_bytes'],
  ...['nodejs_external_memory_bytes', 'nodejs_heap_space_size_total_bytes', 'nodejs_heap_space_size_used_bytes'],
  ...['nodejs_heap_space_size_available_bytes', 'nodejs_version_info', 'nodejs_gc_duration_seconds'],
]

const stats = createRuntimeStats()
const net = createNet()
test.after(() => {
  stats.close()
  net.close()
})

async function page(flags: Readonly<Record<string, string | string[]>> = {}): Promise<string> {
  const text = formatExposition(await createNodejsExporter(stats, { disk: nodeDisk, net }, flags).collect())
  parseExposition(new TextEncoder().encode(text), { format: 'text' })
  return text
}

const sampleOf = (text: string, series: string): number => {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `))
  return Number(line?.slice(series.length + 1) ?? NaN)
}

test("the process reports prom-client's default metrics with plausible values", async () => {
  const filler: unknown[] = []
  while (!stats.snapshot().gc.length) {
    for (let i = 0; i < 100_000; i++) filler[i % 1000] = { i }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  const families = await createNodejsExporter(stats, { disk: nodeDisk }).collect()
  const names = families.map(({ name }) => name)
  const text = await page()
  assert.deepEqual(names.sort(), [...PROM_CLIENT].sort())
  const value = (name: string): number => sampleOf(text, name)
  assert.ok(value('process_resident_memory_bytes') > 1e6)
  assert.ok(value('process_open_fds') > 2)
  assert.ok(value('nodejs_heap_size_used_bytes') <= value('nodejs_heap_size_total_bytes'))
  assert.ok(value('nodejs_eventloop_lag_max_seconds') >= value('nodejs_eventloop_lag_min_seconds'))
  assert.ok(value('nodejs_eventloop_lag_seconds') >= 0)
  assert.match(text, /nodejs_version_info\{version="v\d+/)
})

test('another process is described through its diagnostics socket', async () => {
  const script = 'setInterval(() => { globalThis.x = Array.from({ length: 1e5 }, (_, i) => ({ i })) }, 5)'
  const child = spawn(process.execPath, ['--inspect=127.0.0.1:0', '-e', script], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  try {
    const address = await debuggerOf(child)
    // A busy host takes its time until the other has collected garbage.
    const collected = new RegExp(`nodejs_gc_duration_seconds_count\\{inspect="${address}",kind="minor"\\} [1-9]`)
    const text = await until('it has collected garbage', async () => {
      const now = await page({ inspect: address })
      return collected.test(now) && sampleOf(now, `nodejs_eventloop_lag_max_seconds{inspect="${address}"}`) > 0 && now
    })
    const value = (name: string): number => sampleOf(text, `${name}{inspect="${address}"}`)
    assert.equal(value('nodejs_inspect_up'), 1)
    assert.ok(value('process_resident_memory_bytes') > 1e6)
    assert.ok(value('process_cpu_seconds_total') > 0)
    assert.ok(value('process_open_fds') > 2)
    for (const name of PROM_CLIENT) assert.match(text, new RegExp(`^${name}\\w*\\{inspect="${address}"`, 'm'))
    assert.ok(sampleOf(text, 'process_resident_memory_bytes') > 1e6, 'this process is still described')
  } finally {
    child.kill('SIGKILL')
  }
})

test('what is no diagnostics socket is down, and the rest of the page is there', async () => {
  const server = createServer((_, response) =>
    response.end('[{"id":"../../etc","webSocketDebuggerUrl":"ws://10.0.0.1/"}]'),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const other = `127.0.0.1:${(server.address() as AddressInfo).port}`
  try {
    const text = await page({ inspect: [other, '127.0.0.1:1'] })
    assert.equal(sampleOf(text, `nodejs_inspect_up{inspect="${other}"}`), 0)
    assert.equal(sampleOf(text, 'nodejs_inspect_up{inspect="127.0.0.1:1"}'), 0)
    assert.ok(sampleOf(text, 'process_resident_memory_bytes') > 1e6)
  } finally {
    server.close()
  }
})

test('flags that are none, and addresses that are none, are refused', () => {
  const make = (flags: Readonly<Record<string, string>>) => () => createNodejsExporter(stats, { disk: nodeDisk }, flags)
  assert.throws(make({ inspector: 'x' }), FlagError)
  assert.throws(make({ inspect: 'http://127.0.0.1:9229/' }), /must be addresses like 127\.0\.0\.1:9229/)
})

test('decodeSnapshot() takes its own snapshots, and refuses what is none', () => {
  const own = JSON.parse(JSON.stringify(stats.snapshot())) as Record<string, unknown>
  assert.equal(decodeSnapshot(own).pid, process.pid)
  fc.assert(
    fc.property(fc.anything(), fc.constantFrom(...Object.keys(own)), (value, key) => {
      for (const raw of [value, { ...own, [key]: value }])
        try {
          const page = decodeSnapshot(raw)
          assert.ok(Number.isFinite(page.memory.rss + page.cpu.user + page.startTimeMs))
        } catch (error) {
          assert.match((error as Error).message, /^Bad snapshot: /)
        }
    }),
  )
})

function debuggerOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    child.stderr!.on('data', (chunk) => {
      said += chunk
      const address = /ws:\/\/(127\.0\.0\.1:\d+)\//.exec(said)?.[1]
      if (address) resolve(address)
    })
    child.on('exit', () => reject(new Error(said)))
  })
}
