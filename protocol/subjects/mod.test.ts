import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  ackSubject,
  alertsSubject,
  backlogSubject,
  controlSubject,
  cursorSubject,
  isAgentId,
  isToken,
  liveSubject,
  PARTITION_COUNT,
  parseAgentSubject,
  parseBatchSubject,
  parseControlSubject,
  partitionOf,
  querySubject,
  SubjectError,
  samplesSubject,
  streamPattern,
} from './mod.ts'

// Golden: a changed hash would move agents between hubs. Checked by hand against FNV-1a's published vectors ("" and
// "a" hash to 0x811c9dc5 and 0xe40c292c).
const partitions: readonly [agent: string, partition: number][] = [
  ['', (0x811c9dc5 ^ 0x811c) & 63],
  ['a', (0xe40c292c ^ 0xe40c) & 63],
  ['web-1', 40],
  ['web-2', 5],
  ['db-primary', 23],
  ['host-0001', 10],
]
for (const [agent, partition] of partitions)
  test(`partitionOf("${agent}") is ${partition}`, () => assert.equal(partitionOf(agent), partition))

test('partitionOf() spreads numbered hosts evenly', () => {
  const counts = new Array<number>(PARTITION_COUNT).fill(0)
  for (let i = 0; i < 6400; i++) counts[partitionOf(`host-${i}`)]! += 1
  assert.ok(Math.min(...counts) > 50 && Math.max(...counts) < 160, counts.join(' '))
})

const built: readonly [subject: string, expected: string][] = [
  [samplesSubject({ site: 'lab', agent: 'web-1' }), `helio.v1.samples.${partitionOf('web-1')}.lab.web-1`],
  [backlogSubject({ site: 'Lab_2', agent: 'web-1' }), `helio.v1.backlog.${partitionOf('web-1')}.Lab_2.web-1`],
  [ackSubject('web-1'), 'helio.v1.ack.web-1'],
  [cursorSubject('web-1'), 'helio.v1.cursor.web-1'],
  [controlSubject('web-1'), 'helio.v1.control.web-1.>'],
  [controlSubject('web-1', 'keyframe'), 'helio.v1.control.web-1.keyframe'],
  [querySubject(), 'helio.v1.query.>'],
  [querySubject('hub-1', 'run'), 'helio.v1.query.hub-1.run'],
  [alertsSubject('lab'), 'helio.v1.alerts.lab'],
  [liveSubject(), 'helio.v1.live.>'],
  [streamPattern('samples'), 'helio.v1.samples.>'],
  [streamPattern('backlog', 7), 'helio.v1.backlog.7.>'],
]
for (const [subject, expected] of built) test(`builds ${expected}`, () => assert.equal(subject, expected))

const refused: readonly [what: string, code: SubjectError['code'], run: () => unknown][] = [
  ['a dot in a site', 'bad-token', () => samplesSubject({ site: 'a.b', agent: 'x' })],
  ['a wildcard in a site', 'bad-token', () => samplesSubject({ site: '*', agent: 'x' })],
  ['an empty site', 'bad-token', () => samplesSubject({ site: '', agent: 'x' })],
  ['a trailing line break', 'bad-token', () => samplesSubject({ site: 'a\n', agent: 'x' })],
  ['an upper-case agent', 'bad-agent', () => ackSubject('Web')],
  ['an agent that starts with a dash', 'bad-agent', () => cursorSubject('-web')],
  ['an agent of 65 letters', 'bad-agent', () => cursorSubject('a'.repeat(65))],
  ['a verb with a wildcard', 'bad-token', () => controlSubject('web', '>')],
  ['partition 64', 'bad-partition', () => streamPattern('samples', 64)],
  ['a foreign subject', 'bad-subject', () => parseBatchSubject('helio.v2.samples.1.lab.web-1')],
  ['a short subject', 'bad-subject', () => parseBatchSubject('helio.v1.samples.1.lab')],
  ["another agent's partition", 'bad-partition', () => parseBatchSubject('helio.v1.samples.1.lab.web-1')],
  ['a partition in another spelling', 'bad-partition', () => parseBatchSubject('helio.v1.samples.040.lab.web-1')],
  ['a long ack subject', 'bad-subject', () => parseAgentSubject('helio.v1.ack.web-1.x')],
  ['a control subject without a verb', 'bad-subject', () => parseControlSubject('helio.v1.control.web-1')],
  ['a control subject with an empty verb', 'bad-token', () => parseControlSubject('helio.v1.control.web-1.')],
]
for (const [what, code, run] of refused)
  test(`refuses ${what}`, () => assert.throws(run, (error) => error instanceof SubjectError && error.code === code))

test('parsers undo builders', () => {
  const agents = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,63}$/)
  const tokens = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/)
  fc.assert(
    fc.property(agents, tokens, (agent, token) => {
      assert.ok(isAgentId(agent) && isToken(token))
      const partition = partitionOf(agent)
      assert.deepEqual(parseBatchSubject(samplesSubject({ site: token, agent })), {
        stream: 'samples',
        partition,
        site: token,
        agent,
      })
      assert.equal(parseBatchSubject(backlogSubject({ site: token, agent })).stream, 'backlog')
      assert.deepEqual(parseAgentSubject(ackSubject(agent)), { kind: 'ack', agent })
      assert.deepEqual(parseAgentSubject(cursorSubject(agent)), { kind: 'cursor', agent })
      assert.deepEqual(parseControlSubject(controlSubject(agent, token)), { agent, verb: token })
    }),
  )
})

test('arbitrary text is parsed or refused with a SubjectError', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const parse of [parseBatchSubject, parseAgentSubject, parseControlSubject])
        try {
          parse(text)
        } catch (error) {
          assert.ok(error instanceof SubjectError)
        }
    }),
  )
})
