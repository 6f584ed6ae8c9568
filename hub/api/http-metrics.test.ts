import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Hono } from 'hono'
import type { HttpInfo } from '../../protocol/env/mod.ts'
import { formatExposition } from '../../protocol/exposition/mod.ts'
import { HttpMetrics, handlerName } from './http-metrics.ts'

const page = (metrics: HttpMetrics): string => formatExposition(metrics.families())

test('answers are counted by route and status, their bytes held, streamed or none', async () => {
  const metrics = new HttpMetrics()
  const held = new Response(null)
  assert.equal(metrics.answered('/a', 0.3, held, new Uint8Array(150)), held)
  metrics.answered('/a', 5, new Response(null, { status: 204 }), undefined)
  const streamed = metrics.answered('/b', 0, new Response('x'.repeat(2000), { status: 404 }), undefined)
  assert.equal(streamed.status, 404)
  assert.equal((await streamed.text()).length, 2000)
  metrics.remoteReads = () => 3
  const text = page(metrics)
  for (const line of [
    'prometheus_http_requests_total{code="200",handler="/a"} 1',
    'prometheus_http_requests_total{code="204",handler="/a"} 1',
    'prometheus_http_requests_total{code="404",handler="/b"} 1',
    'prometheus_http_request_duration_seconds_bucket{handler="/a",le="0.4"} 1',
    'prometheus_http_request_duration_seconds_sum{handler="/a"} 5.3',
    'prometheus_http_response_size_bytes_bucket{handler="/a",le="100"} 1',
    'prometheus_http_response_size_bytes_bucket{handler="/a",le="1000"} 2',
    'prometheus_http_response_size_bytes_sum{handler="/b"} 2000',
    'prometheus_remote_read_handler_queries 3',
  ])
    assert.ok(text.split('\n').includes(line), `${line}\n${text}`)
})

test('handlers are named by their route, so that no client makes up names', async () => {
  const names: string[] = []
  const app = new Hono<{ Bindings: HttpInfo }>()
  const root = app.basePath('/prefix')
  app.use('*', async (c, next) => {
    names.push(handlerName(c, '/prefix'))
    await next()
  })
  root.use('/api/*', (_, next) => next())
  root.get('/api/v1/label/:name/values', (c) => c.text(''))
  root.get('/', (c) => c.text(''))
  for (const path of ['/prefix/api/v1/label/job/values', '/prefix/api/v1/nothing', '/prefix', '/elsewhere'])
    await app.request(path)
  assert.deepEqual(names, ['/api/v1/label/:name/values', '/api/v1/*path', '/', '/*path'])
})
