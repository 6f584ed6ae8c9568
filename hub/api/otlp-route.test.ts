/** The answers of OTLP over HTTP, as a sender reads them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import protobuf from 'protobufjs'
import type { Ingest, WriteAnswer } from '../ingest/mod.ts'
import { createHead } from '../tsdb/mod.ts'
import { startApi } from './testing/app.ts'

const Response = protobuf
  .parse(`syntax = "proto3";
    message ExportMetricsServiceResponse { PartialSuccess partial_success = 1; }
    message PartialSuccess { int64 rejected_data_points = 1; string error_message = 2; }`)
  .root.lookupType('ExportMetricsServiceResponse')

const answer = (more: Partial<WriteAnswer>): WriteAnswer => ({
  status: 204,
  message: '',
  written: { samples: 0, histograms: 0, exemplars: 0 },
  isPartial: false,
  rejectedPoints: 0,
  ...more,
})

async function post(given: WriteAnswer, type: string, encoding = ''): Promise<{ status: number; body: Uint8Array }> {
  const ingest = { remoteWrite: async () => given } as unknown as Ingest
  const api = await startApi(createHead(), { ingest, otlpEnabled: true, otlpSettings: () => ({}) })
  try {
    const response = await fetch(`${api.url}/api/v1/otlp/v1/metrics`, {
      method: 'POST',
      headers: { 'content-type': type, ...(encoding === '' ? {} : { 'content-encoding': encoding }) },
      body: new Uint8Array(1),
    })
    return { status: response.status, body: new Uint8Array(await response.arrayBuffer()) }
  } finally {
    await api.close()
  }
}

// A message long enough for a length of two bytes, a count for one of three.
const message = 'out of order sample '.repeat(20)
const REFUSED = answer({ status: 400, message, isPartial: true, rejectedPoints: 70_000 })

test('points that are refused are counted in JSON, where 64 bits are a text', async () => {
  const { status, body } = await post(REFUSED, 'application/json')
  assert.equal(status, 200)
  assert.deepEqual(JSON.parse(new TextDecoder().decode(body)), {
    partialSuccess: { rejectedDataPoints: '70000', errorMessage: message },
  })
})

test('points that are refused are counted in protobuf', async () => {
  const { status, body } = await post(REFUSED, 'application/x-protobuf')
  assert.equal(status, 200)
  const decoded = Response.toObject(Response.decode(body), { longs: Number })
  assert.deepEqual(decoded, { partialSuccess: { rejectedDataPoints: 70_000, errorMessage: message } })
})

test('compressions that are none are refused, whatever they are called', async () => {
  for (const encoding of ['br', 'constructor', '__proto__'])
    assert.equal((await post(answer({}), 'application/json', encoding)).status, 415, encoding)
})

test('a warning rejects no point', async () => {
  const { body } = await post(answer({ status: 400, message: 'empty', isPartial: true }), 'application/json')
  assert.deepEqual(JSON.parse(new TextDecoder().decode(body)), { partialSuccess: { errorMessage: 'empty' } })
})

test('all that is stored is an empty answer', async () => {
  assert.equal((await post(answer({}), 'application/x-protobuf')).body.length, 0)
  assert.equal(new TextDecoder().decode((await post(answer({}), 'application/json')).body), '{}')
})

test('what may be stored later is to be sent again', async () => {
  const { status } = await post(answer({ status: 503, message: 'full', isPartial: true }), 'application/json')
  assert.equal(status, 503)
})
