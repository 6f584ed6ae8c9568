/** Requests and answers without Web objects: bodies, errors, clients that go, large answers. */
import assert from 'node:assert/strict'
import http from 'node:http'
import { test } from 'node:test'
import type { PlainHandler } from '../../protocol/env/mod.ts'
import { createNet } from './mod.ts'

type Answer = { readonly status: number; readonly length: string | undefined; readonly body: Buffer }

async function withServer(plain: PlainHandler, run: (url: string, errors: string[]) => Promise<void>): Promise<void> {
  const errors: string[] = []
  const net = createNet({ onHandlerError: (error) => errors.push((error as Error).message) })
  const handler = async (request: Request): Promise<Response> => new Response(`web ${await request.text()}`)
  const listener = await net.serveHttp({ host: '127.0.0.1', port: 0, handler, plain })
  try {
    await run(`http://127.0.0.1:${listener.address.port}`, errors)
  } finally {
    await listener.close(0)
    net.close()
  }
}

function ask(url: string, method = 'GET', body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          length: response.headers['content-length'],
          body: Buffer.concat(chunks),
        }),
      )
    })
    request.on('error', reject)
    request.end(body)
  })
}
const answer = (body: Uint8Array, status = 200) => ({ status, headers: { 'x-own': 'yes' }, body })

test('what the handler does not want goes on to the other, its body whole', () =>
  withServer(
    () => null,
    async (url) => assert.equal((await ask(url, 'POST', 'all of it')).body.toString(), 'web all of it'),
  ))

test('bytes of every kind and size come as they are, and are freed when they are many', () =>
  withServer(
    ({ target }) => {
      const size = Number(target.slice(1))
      // The answer is the beginning of a buffer that had room for more.
      large = Uint8Array.from({ length: size + 10 }, (_, i) => i % 256).subarray(0, size)
      return answer(large)
    },
    async (url) => {
      for (const size of [0, 1, 1000, 64 << 10, (64 << 10) + 1, 5 << 20]) {
        const { body, length } = await ask(`${url}/${size}`)
        assert.equal(length, String(size))
        assert.ok(
          body.every((byte, i) => byte === i % 256),
          `${size}`,
        )
      }
      for (let i = 0; i < 4000 && large.length > 0; i++) await new Promise((resolve) => setTimeout(resolve, 5))
      assert.equal(large.length, 0)
    },
  ))
let large = new Uint8Array(0)

test('HEAD has the length and no body, 204 has neither', () =>
  withServer(
    ({ method }) => answer(new Uint8Array(method === 'HEAD' ? 7 : 0), method === 'HEAD' ? 200 : 204),
    async (url) => {
      assert.deepEqual(await ask(url, 'HEAD'), { status: 200, length: '7', body: Buffer.alloc(0) })
      assert.deepEqual(await ask(url), { status: 204, length: undefined, body: Buffer.alloc(0) })
    },
  ))

test('a body is read up to its limit', () =>
  withServer(
    (request) => request.body(10).then((body) => answer(body ?? new TextEncoder().encode('too large'))),
    async (url) => {
      assert.equal((await ask(url, 'POST', 'ten bytes.')).body.toString(), 'ten bytes.')
      assert.equal((await ask(url, 'POST', 'eleven byte')).body.toString(), 'too large')
      assert.equal((await ask(url, 'POST', 'x'.repeat(1 << 20))).body.toString(), 'too large')
    },
  ))

test('what a handler throws, now or later, is told to the hub and not to the client', () =>
  withServer(
    ({ target }) => {
      if (target === '/now') throw new Error('secret')
      return Promise.reject(new Error('secret'))
    },
    async (url, errors) => {
      for (const path of ['/now', '/later']) {
        const { status, body } = await ask(url + path)
        assert.deepEqual([status, body.toString()], [500, 'Internal Server Error\n'])
      }
      assert.deepEqual(errors, ['secret', 'secret'])
    },
  ))

test('a client that goes is heard of, be it while it sends or while it waits', async () => {
  const heard: string[] = []
  const went = (what: string): void => void heard.push(what)
  await withServer(
    (request) => {
      if (request.method === 'POST')
        return request.body(100).then(
          () => answer(new Uint8Array(0)),
          (error) => {
            went('body')
            throw error
          },
        )
      return new Promise(() => request.signal.addEventListener('abort', () => went('signal')))
    },
    async (url, errors) => {
      for (const method of ['GET', 'POST']) {
        const request = http.request(url, {
          method,
          agent: false,
          headers: { 'content-length': method === 'GET' ? 0 : 50 },
        })
        request.on('error', () => {})
        request.flushHeaders()
        if (method === 'POST') request.write('half')
        setTimeout(() => request.destroy(), 50)
        const before = heard.length
        for (let i = 0; i < 4000 && heard.length === before; i++) await new Promise((resolve) => setTimeout(resolve, 5))
      }
      assert.deepEqual(heard, ['signal', 'body'])
      assert.deepEqual(errors, [])
    },
  )
})
