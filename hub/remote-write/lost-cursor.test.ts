/** Cursors that say nothing, or not what is true. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { collect, type Samples, SendingWorld, SPEC, write } from './testing/world.ts'

test('a cursor that is ahead of a log restored from a backup costs nothing of what came before the thread had begun', async () => {
  const world = new SendingWorld(1)
  const engine = await world.ingest.open()
  write(engine, 1)
  engine.commit()
  const text = JSON.stringify({ segment: 7, byte: 4096 })
  world.ingest.disk.makeDirectory('/data/remote-write')
  world.ingest.disk.writeFileAtomic(`/data/remote-write/${SPEC.key}.json`, text)
  const startAt = world.synced.end
  write(engine, 2)
  engine.commit()
  world.start({ ...SPEC, startAt })
  world.advance(1500)
  const sent: Samples = new Map()
  world.answer((request) => void collect(request, sent))
  assert.equal(sent.size, 5)
})

test('where it cannot be known how far was sent, all that the log has is sent', async () => {
  const world = new SendingWorld(1)
  const engine = await world.ingest.open()
  world.start(SPEC)
  for (let step = 1; step <= 3; step++) {
    write(engine, step)
    engine.commit()
    world.advance(1500)
    world.answer(() => {})
  }
  for (const ending of ['json', 'recent'])
    world.ingest.disk.writeFileAtomic(`/data/remote-write/${SPEC.key}.${ending}`, '{')
  world.start(SPEC)
  world.advance(1500)
  const sent: Samples = new Map()
  world.answer((request) => void collect(request, sent))
  assert.equal(sent.size, 15)
})

test('what waits for a receiver that is configured no more is said', async () => {
  const world = new SendingWorld(1)
  const engine = await world.ingest.open()
  world.start(SPEC)
  write(engine, 1)
  engine.commit()
  world.advance(1500)
  world.thread.receive({ kind: 'close', key: SPEC.key, forget: true })
  world.advance(3000)
  const said = world.ingest.log.lines.find(({ message }) => message.startsWith('The receiver is configured no more'))
  assert.equal(said?.fields['samples'], 5)
})
