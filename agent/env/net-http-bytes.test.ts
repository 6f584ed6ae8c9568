/** Answers whose bytes go past the body of a `Response`: as they are, on one connection, with what was set on the way. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { DEFAULT_HTTP_LIMITS, serveHttp } from './net-http-server.ts'

const BODY = new TextEncoder().encode('{"status":"success"}')

test('bytes beside a response are its body; HEAD gets its length alone; the connection lives on', async () => {
  const listener = await serveHttp(
    {
      host: '127.0.0.1',
      port: 0,
      handler: (_, { bodies }) => {
        const response = new Response(null, { status: 422, headers: { 'content-type': 'application/json' } })
        bodies!.set(response, BODY)
        response.headers.set('x-later', 'yes')
        return response
      },
    },
    DEFAULT_HTTP_LIMITS,
    (error) => assert.fail(String(error)),
  )
  try {
    const socket = connect(listener.address.port, '127.0.0.1')
    socket.write('GET /a HTTP/1.1\r\nHost: a\r\n\r\n')
    socket.write('HEAD /b HTTP/1.1\r\nHost: a\r\n\r\n')
    socket.write('GET /c HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    let text = ''
    for await (const part of socket) text += part
    const answers = text.split('HTTP/1.1 ').slice(1)
    assert.equal(answers.length, 3)
    const bodies = answers.map((answer) => answer.slice(answer.indexOf('\r\n\r\n') + 4))
    assert.deepEqual(bodies, ['{"status":"success"}', '', '{"status":"success"}'])
    for (const answer of answers) {
      assert.match(answer, /^422 Unprocessable Entity\r\n/)
      assert.match(answer, /\r\ncontent-length: 20\r\n/i)
      assert.match(answer, /\r\nx-later: yes\r\n/i)
      assert.match(answer, /\r\ncontent-type: application\/json\r\n/i)
      assert.doesNotMatch(answer, /already-sent/)
    }
  } finally {
    await listener.close(100)
  }
})

for (const [what, isRead] of [
  ['has been read', true],
  ['the client hangs up on', false],
] as const) {
  test(`a large answer that ${what} frees its memory at once`, { timeout: 20_000 }, async () => {
    let body = new Uint8Array(0)
    const listener = await serveHttp(
      {
        host: '127.0.0.1',
        port: 0,
        handler: (_, { bodies }) => {
          const response = new Response(null)
          body = new Uint8Array(64 << 20).fill(7)
          bodies!.set(response, body)
          return response
        },
      },
      DEFAULT_HTTP_LIMITS,
      (error) => assert.fail(String(error)),
    )
    const socket = connect(listener.address.port, '127.0.0.1')
    try {
      socket.write('GET /a HTTP/1.1\r\nHost: a\r\n\r\n')
      await once(socket, 'readable')
      assert.equal(body.length, 64 << 20, 'held while it is read')
      let read = 0
      if (isRead) {
        for await (const part of socket) {
          assert.equal((part as Uint8Array).at(-1), 7)
          if ((read += (part as Uint8Array).length) > 64 << 20) break
        }
      }
      socket.destroy()
      while (body.length > 0) await new Promise((resolve) => setImmediate(resolve))
    } finally {
      socket.destroy()
      await listener.close(100)
    }
  })
}
