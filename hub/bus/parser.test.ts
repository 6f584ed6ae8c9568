import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MAX_CONTROL_LINE_BYTES, Parser, type ProtocolSink } from './parser.ts'

/** What the parser said, one line each. */
function recorder(): { sink: ProtocolSink; events: string[] } {
  const events: string[] = []
  const sink: ProtocolSink = {
    connect: (json) => events.push(`connect ${json}`),
    publish: (subject, reply, headerBytes, data) =>
      events.push(`pub ${subject}|${reply}|${headerBytes}|${Buffer.from(data).toString('latin1')}`),
    subscribe: (subject, queue, sid) => events.push(`sub ${subject}|${queue}|${sid}`),
    unsubscribe: (sid, max) => events.push(`unsub ${sid}|${max}`),
    ping: () => events.push('ping'),
    pong: () => events.push('pong'),
    failed: (reason) => events.push(`failed ${reason}`),
  }
  return { sink, events }
}

function parse(input: string, maxPayloadBytes = 100): string[] {
  const { sink, events } = recorder()
  new Parser(sink, maxPayloadBytes).push(Buffer.from(input, 'latin1'))
  return events
}

const rows: readonly [input: string, events: readonly string[]][] = [
  ['PING\r\nPONG\r\nping\r\n', ['ping', 'pong', 'ping']],
  ['CONNECT {"a":1}\r\n', ['connect {"a":1}']],
  ['PUB a 2\r\nhi\r\n', ['pub a||0|hi']],
  ['PUB\ta  r\t0 \r\n\r\nPING\r\n', ['pub a|r|0|', 'ping']],
  ['PUB a 4\r\n\r\n\r\n\r\n', ['pub a||0|\r\n\r\n']],
  ['HPUB a r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n', ['pub a|r|12|NATS/1.0\r\n\r\nhi']],
  ['SUB a 1\r\nSUB a.> q 2\r\nUNSUB 1\r\nUNSUB 2 5\r\n', ['sub a||1', 'sub a.>|q|2', 'unsub 1|0', 'unsub 2|5']],
  ['+OK\r\nINFO {}\r\nPING\n', ['ping']],
  ['GET / HTTP/1.1\r\n', ['failed unknown-operation']],
  ['X', ['failed unknown-operation']],
  ['PI', []],
  ['PUB\r\n', ['failed unknown-operation']],
  ['PUB a\r\n', ['failed bad-arguments']],
  ['PUB a b c 1\r\n', ['failed bad-arguments']],
  ['PUB a -1\r\n', ['failed bad-arguments']],
  ['PUB a\rb 1\r\nx\r\n', ['failed bad-arguments']],
  ['HPUB a 5 4\r\n', ['failed bad-arguments']],
  ['SUB a\r\n', ['failed bad-arguments']],
  ['PUB a 101\r\n', ['failed payload-too-large']],
  ['PUB a 2\r\nhix\r\nPING\r\n', ['failed unknown-operation']],
  ['-ERR x\r\nPING\r\n', ['failed peer-error']],
  [`PUB ${'a'.repeat(MAX_CONTROL_LINE_BYTES)}`, ['failed control-line-too-long']],
  [`PUB ${'a'.repeat(MAX_CONTROL_LINE_BYTES)} 1\r\n`, ['failed control-line-too-long']],
  ['X'.repeat(MAX_CONTROL_LINE_BYTES + 1), ['failed unknown-operation']],
]
for (const [input, events] of rows)
  test(`reads ${JSON.stringify(input.slice(0, 40))}`, () => assert.deepEqual(parse(input), events))

test('before CONNECT only CONNECT is welcome', () => {
  const { sink, events } = recorder()
  const parser = new Parser(sink, 100)
  parser.connectOnly = true
  parser.push(Buffer.from('PUB a 1\r\nx\r\n'))
  assert.deepEqual(events, ['failed not-connected'])
})

const word = fc.stringMatching(/^[a-z.]{1,12}$/)
const payload = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
const command = fc.oneof(
  fc.tuple(word, payload).map(([subject, data]) => `PUB ${subject} ${data.length}\r\n${data}\r\n`),
  fc.tuple(word, word, payload).map(([s, r, data]) => `HPUB ${s} ${r} 0 ${data.length}\r\n${data}\r\n`),
  fc.tuple(word, word).map(([subject, sid]) => `SUB ${subject} ${sid}\r\n`),
  fc.tuple(word, fc.nat(9)).map(([sid, max]) => `UNSUB ${sid} ${max}\r\n`),
  fc.constantFrom('PING\r\n', 'PONG\r\n', 'CONNECT {}\r\n', '+OK\r\n'),
)

test('any split of the input gives the same events', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 12 }), fc.array(fc.nat(40), { maxLength: 40 }), (commands, cuts) => {
      const input = commands.join('')
      const { sink, events } = recorder()
      const parser = new Parser(sink, 100)
      const bytes = Buffer.from(input, 'latin1')
      let at = 0
      for (const cut of cuts) {
        parser.push(bytes.subarray(at, at + cut))
        at += Math.min(cut, bytes.length - at)
      }
      for (; at < bytes.length; at++) parser.push(bytes.subarray(at, at + 1))
      assert.deepEqual(events, parse(input))
      assert.ok(!events.some((event) => event.startsWith('failed')))
    }),
    { numRuns: 300 },
  )
})

test('random bytes, also after a good start, never throw, and stop the parser at the first failure', () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.string({ maxLength: 80 }).map((text) => Buffer.from(text)),
    command.map((text) => Buffer.from(text.slice(0, -1), 'latin1')),
  )
  fc.assert(
    fc.property(fc.array(noise, { maxLength: 20 }), (chunks) => {
      const { sink, events } = recorder()
      const parser = new Parser(sink, 100)
      for (const chunk of chunks) parser.push(chunk)
      const failure = events.findIndex((event) => event.startsWith('failed'))
      assert.ok(failure < 0 || failure === events.length - 1)
    }),
    { numRuns: 500 },
  )
})
