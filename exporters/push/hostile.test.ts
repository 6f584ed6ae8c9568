/** What pushers do that nobody meant: floods of names, texts that look like separators, pushes around a reload. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { formatExposition } from '../../protocol/exposition/mod.ts'
import type { Flags } from '../contract.ts'
import { temporaryFolder, testEnv } from '../testing/env.ts'
import { createPushExporter, type PushExporter } from './mod.ts'

const folder = temporaryFolder()
const exporterOf = (flags: Flags = {}): PushExporter => createPushExporter({ ...testEnv, flags, version: '1' })

async function send(
  exporter: PushExporter,
  method: string,
  at: string,
  body?: string | ReadableStream<Uint8Array>,
): Promise<number> {
  const answer = await exporter.handle(
    new Request(`http://x${at}`, { method, ...(body === undefined ? {} : { body, duplex: 'half' }) } as RequestInit),
  )
  return answer?.status ?? 0
}
const pageOf = async (exporter: PushExporter): Promise<string> => formatExposition(await exporter.collect())

test('a push costs by its size: 60,000 families with the suffix of a histogram took 77 s', {
  timeout: 20_000,
}, async () => {
  const exporter = exporterOf()
  const body = Array.from({ length: 60_000 }, (_, i) => `a${i}_count 1\n`).join('')
  const cpuBefore = process.cpuUsage()
  assert.equal(await send(exporter, 'PUT', '/metrics/job/big', body), 200)
  const { user, system } = process.cpuUsage(cpuBefore)
  assert.ok((user + system) / 1e6 < 8, `${(user + system) / 1e6} s of CPU`)
})

test('what is beyond the limit is not read either: a million names took 5 s', { timeout: 20_000 }, async () => {
  const exporter = exporterOf({ 'heliograph.max-series': '1000' })
  const many = (line: (i: number) => string): string => Array.from({ length: 300_000 }, (_, i) => line(i)).join('')
  for (const line of [
    (i: number) => `a${i} 1\n`,
    (i: number) => `a{b="${i}"} 1\n`,
    (i: number) => `# TYPE a${i} gauge\n`,
  ]) {
    const body = many(line)
    const before = process.cpuUsage()
    assert.equal(await send(exporter, 'PUT', '/metrics/job/j', body), 429)
    const { user, system } = process.cpuUsage(before)
    assert.ok((user + system) / 1e6 < 1, `${(user + system) / 1e6} s of CPU`)
  }
  assert.match(await pageOf(exporter), /^heliograph_push_groups 0$/m)
})

test('few series that are long are bounded as many that are short; what goes makes room', async () => {
  const exporter = exporterOf({ 'heliograph.max-series': '100' })
  const long = `m{a="${'x'.repeat(60_000)}"} 1\n`
  const buckets = Array.from({ length: 3000 }, (_, i) => `h_bucket{le="${i}"} 1\n`).join('')
  assert.equal(await send(exporter, 'PUT', '/metrics/job/a', long), 200)
  assert.equal(await send(exporter, 'PUT', '/metrics/job/a', long), 200)
  assert.equal(await send(exporter, 'PUT', '/metrics/job/b', long), 429)
  assert.equal(await send(exporter, 'PUT', '/metrics/job/c', `# TYPE h histogram\n${buckets}`), 429)
  assert.equal(await send(exporter, 'DELETE', '/metrics/job/a'), 202)
  assert.equal(await send(exporter, 'PUT', '/metrics/job/b', long), 200)
  assert.equal(await send(exporter, 'PUT', '/metrics/job/b', 'm 1\n'), 200)
  assert.equal(await send(exporter, 'PUT', '/metrics/job/c', `# TYPE h histogram\n${buckets}`), 200)
})

test('labels whose values hold what once stood between them stay apart', async () => {
  const exporter = exporterOf()
  assert.equal(await send(exporter, 'PUT', '/metrics/job/j/x/1', 'm{a="b",c="d"} 1\nm{a="bÿcÿd"} 2\n'), 200)
  assert.equal(await send(exporter, 'PUT', '/metrics/job/j%C3%BFx%C3%BF1', 'n 3\n'), 200)
  const page = await pageOf(exporter)
  assert.match(page, /^m\{a="b",c="d",instance="",job="j",x="1"\} 1$/m)
  assert.match(page, /^m\{a="bÿcÿd",instance="",job="j",x="1"\} 2$/m)
  assert.match(page, /^n\{instance="",job="jÿxÿ1"\} 3$/m)
  assert.match(page, /^heliograph_push_groups 2$/m)
})

test('paths of nobody are not counted, so that none can write the labels of the counter', async () => {
  const exporter = exporterOf()
  for (const at of ['/api/v1/x%0Aget', '/api/v1/x', '/api/v1/y']) assert.equal(await send(exporter, 'GET', at), 404)
  assert.equal(await send(exporter, 'GET', '/api/v1/status'), 200)
  assert.deepEqual((await pageOf(exporter)).match(/^pushgateway_http_requests_total.*$/gm), [
    'pushgateway_http_requests_total{code="200",handler="api/v1/status",method="get"} 1',
  ])
})

test('an exporter whose file is closed, or not read yet, takes nothing and writes nothing', async () => {
  const file = path.join(folder, 'push.db')
  const flags = { 'persistence.file': file, 'persistence.interval': '0s' }
  const early = exporterOf(flags)
  assert.equal(await send(early, 'PUT', '/metrics/job/early', 'm 1\n'), 503)
  const old = exporterOf(flags)
  await old.start()
  assert.equal(await send(old, 'PUT', '/metrics/job/first', 'm 1\n'), 200)
  // A push whose body is still under way when a reload ends its exporter.
  let body: ReadableStreamDefaultController<Uint8Array> | undefined
  const slow = new ReadableStream<Uint8Array>({ start: (controller) => void (body = controller) })
  const late = send(old, 'PUT', '/metrics/job/late', slow)
  await old.close()
  const heir = exporterOf(flags)
  await heir.start()
  assert.equal(await send(heir, 'PUT', '/metrics/job/second', 'm 2\n'), 200)
  await heir.close()
  const kept = fs.readFileSync(file)
  body!.enqueue(new TextEncoder().encode('m 3\n'))
  body!.close()
  assert.equal(await late, 503)
  assert.equal(await send(old, 'DELETE', '/metrics/job/first'), 503)
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.deepEqual(fs.readFileSync(file), kept)
})

// As Pushgateway 1.11 on amd64.
for (const [count, shown] of [
  ['2.7', '2'],
  ['-1', '1.8446744073709552e+19'],
  ['1e19', '1e+19'],
  ['+Inf', '9.223372036854776e+18'],
  ['NaN', '9.223372036854776e+18'],
] as const) {
  test(`the count of a summary is a whole number: ${count} is ${shown}`, async () => {
    const exporter = exporterOf()
    assert.equal(await send(exporter, 'PUT', '/metrics/job/j', `# TYPE s summary\ns_count ${count}\n`), 200)
    assert.ok((await pageOf(exporter)).includes(`s_count{instance="",job="j"} ${shown}\n`))
  })
}
