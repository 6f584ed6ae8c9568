/**
 * Batches that must not be stored, sent to a real hub over its own bus by somebody who has an enrolled key: each is
 * refused, counted by reason and logged, and the next good batch is stored. And what an identity may not say or hear.
 * Method: reliability.md R11, R14, and section 3 (replays, splices, another host's labels).
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { systemRandom } from '../../agent/env/mod.ts'
import { runtimeZstd } from '../../agent/env/zstd.ts'
import { encodeHeader } from '../../protocol/batch/header.ts'
import type { SealedBatch } from '../../protocol/batch/mod.ts'
import { generateSeed } from '../../protocol/identity/mod.ts'
import {
  ackSubject,
  controlSubject,
  cursorSubject,
  partitionOf,
  SUBJECT_PREFIX,
  samplesSubject,
} from '../../protocol/subjects/mod.ts'
import { approvedSeed, isLong, metricsOf, pickSeed, residentBytes, seeded } from './bad-day/kit.ts'
import { RawAgent } from './bad-day/raw-agent.ts'
import { type Hub, lacks, ROOT, samples, sleep, until, untilHolds, type World, withWorld } from './world.ts'

const FUZZ_COUNT = isLong ? 10_000 : 1500
const RSS_GROWTH_MAX_BYTES = 64 << 20

type Stage = { readonly world: World; readonly hub: Hub; readonly mallory: RawAgent; readonly victim: RawAgent }

/** A hub with two enrolled agents: one misbehaves, the other is whom it would like to harm. */
function onStage(run: (stage: Stage) => Promise<void>): Promise<void> {
  return withWorld(async (world) => {
    const hub = await world.prepareHub({ config: 'scrape_configs: []' })
    const seeds = ['mallory', 'victim'].map((agent) => ({ agent, seed: approvedSeed(hub, agent) }))
    await hub.restart()
    const [mallory, victim] = seeds.map((each) => new RawAgent({ ...each, busUrl: hub.busUrl }))
    world.onClose(() => Promise.all([mallory!.bus.close(), victim!.bus.close()]).then(() => {}))
    await Promise.all([mallory!.connected(), victim!.connected()])
    await run({ world, hub, mallory: mallory!, victim: victim! })
  })
}

type Bad = { readonly bytes: Uint8Array; readonly subject?: string }
type Case = readonly [what: string, reason: string, bad: (next: SealedBatch, stage: Stage) => Bad]

const changed = ({ bytes }: SealedBatch, at: number, xor = 0xff): Uint8Array => {
  const out = bytes.slice()
  out[at < 0 ? out.length + at : at]! ^= xor
  return out
}
const unsigned = ({ bytes }: SealedBatch): Uint8Array => bytes.slice(0, -64)
const withHeader = (stage: Stage, batch: SealedBatch, change: Partial<SealedBatch['header']>): Uint8Array => {
  const before = encodeHeader(batch.header)
  const after = encodeHeader({ ...batch.header, ...change })
  const payload = unsigned(batch).subarray(before.length)
  return stage.mallory.resign(Uint8Array.from([...after, ...payload]))
}

const CASES: readonly Case[] = [
  ['a signature with a flipped bit', 'bad_signature', (next) => ({ bytes: changed(next, -1, 1) })],
  ['a payload with a flipped bit', 'bad_signature', (next) => ({ bytes: changed(next, -65, 1) })],
  [
    "another key's signature",
    'bad_signature',
    (next, { victim }) => ({ bytes: Uint8Array.from([...unsigned(next), ...victim.signer.sign(unsigned(next))]) }),
  ],
  ['an unknown version', 'unknown_version', (next) => ({ bytes: changed(next, 2, 0x30) })],
  ['a byte too many', 'bad_length', (next) => ({ bytes: Uint8Array.from([...next.bytes, 0]) })],
  ['a byte too few', 'bad_length', (next) => ({ bytes: next.bytes.slice(0, -1) })],
  ['no bytes at all', 'bad_length', () => ({ bytes: new Uint8Array(0) })],
  ['garbage', 'bad_magic', () => ({ bytes: systemRandom.bytes(4096).fill(0xee, 0, 2) })],
  ["another agent's name", 'identity_mismatch', (_, { mallory }) => ({ bytes: mallory.sealAs('victim').bytes })],
  ["another agent's batch", 'identity_mismatch', (_, { victim }) => ({ bytes: victim.seal().bytes })],
  [
    'the partition of another agent',
    'bad_subject',
    (next, { mallory }) => ({
      bytes: next.bytes,
      subject: `${SUBJECT_PREFIX}.samples.${(partitionOf(mallory.agent) + 1) % 64}.main.${mallory.agent}`,
    }),
  ],
  [
    'a batch from tomorrow',
    'future',
    (_, { mallory }) => ({ bytes: mallory.sealAs('mallory', Date.now() + 86_400_000).bytes }),
  ],
  [
    'a header that promises a gigabyte',
    'too_large',
    (next, stage) => ({ bytes: withHeader(stage, next, { inflatedBytes: 1 << 30 }) }),
  ],
  [
    'a header that promises a billion samples',
    'too_large',
    (next, stage) => ({ bytes: withHeader(stage, next, { sampleCount: 1_000_000_000 }) }),
  ],
  [
    'a payload that inflates to more than its header says',
    'bad_payload',
    (next, stage) => {
      const compressed = runtimeZstd.compress(new Uint8Array(50 << 20), 1)
      const head = encodeHeader({ ...next.header, compressedBytes: compressed.length, inflatedBytes: 4096 })
      return { bytes: stage.mallory.resign(Uint8Array.from([...head, ...compressed])) }
    },
  ],
  [
    'a payload that is signed and makes no sense',
    'bad_payload',
    (next, stage) => {
      const compressed = runtimeZstd.compress(systemRandom.bytes(300), 1)
      const head = encodeHeader({ ...next.header, compressedBytes: compressed.length, inflatedBytes: 300 })
      return { bytes: stage.mallory.resign(Uint8Array.from([...head, ...compressed])) }
    },
  ],
]

test('a bad batch is refused, counted and logged, and the next good one is stored', (t) =>
  onStage(async (stage) => {
    const { hub, mallory } = stage
    await mallory.deliver(mallory.seal())
    for (const [what, reason, bad] of CASES) {
      await t.test(what, async () => {
        const before = await refusedBy(hub)
        const logged = countOf(hub.output, `reason=${reason}`)
        const next = mallory.seal()
        const { bytes, subject } = bad(next, stage)
        mallory.publish(bytes, subject)
        await until(
          `it is counted as ${reason}`,
          async () => (await refusedBy(hub)).get(reason) === (before.get(reason) ?? 0) + 1,
        )
        assert.equal(sum(await refusedBy(hub)), sum(before) + 1, 'it is counted once')
        // What the hub prints comes by another way than what it answers.
        await until('it is logged', () => countOf(hub.output, `reason=${reason}`) > logged)
        assert.equal(countOf(hub.output, `reason=${reason}`), logged + 1, 'it is logged once')
        await mallory.deliver(next)
      })
    }
    await assertStored(hub, mallory)
  }))

test('a batch cut anywhere in its header, or with any byte of it changed, is refused', (t) =>
  onStage(async ({ hub, mallory }) => {
    await mallory.deliver(mallory.seal())
    const next = mallory.seal()
    const headerBytes = encodeHeader(next.header).length
    const before = sum(await refusedBy(hub))
    let sent = 0
    for (let at = 0; at < headerBytes; at++) {
      // Cut there; cut there and filled up with zeros to the length of a batch; changed there.
      mallory.publish(next.bytes.subarray(0, at))
      mallory.publish(Uint8Array.from(next.bytes, (byte, i) => (i < at ? byte : 0)))
      mallory.publish(changed(next, at))
      mallory.publish(changed(next, at, 1))
      sent += 4
    }
    await until('all are counted', async () => sum(await refusedBy(hub)) === before + sent)
    await mallory.deliver(next)
    await assertStored(hub, mallory)
    t.diagnostic(`${sent} damaged headers refused: ${JSON.stringify(Object.fromEntries(await refusedBy(hub)))}`)
  }))

test('thousands of damaged batches cost no memory, no batch of others and no second of the hub', (t) =>
  onStage(async ({ hub, mallory, victim }) => {
    const seed = pickSeed()
    const random = seeded(seed)
    await mallory.deliver(mallory.seal())
    await victim.deliver(victim.seal())
    const before = sum(await refusedBy(hub))
    const rssBefore = residentBytes(hub)
    let worstMs = 0
    for (let i = 0; i < FUZZ_COUNT; i++) {
      const next = mallory.seal()
      mallory.publish(mutated(next.bytes, random))
      if (i % 100 === 0) {
        const startedMs = performance.now()
        await victim.deliver(victim.seal())
        worstMs = Math.max(worstMs, performance.now() - startedMs)
      }
    }
    await until('all are counted', async () => sum(await refusedBy(hub)) === before + FUZZ_COUNT, { timeoutMs: 60_000 })
    const growth = residentBytes(hub) - rssBefore
    t.diagnostic(
      `HELIO_SEED=${seed}: ${FUZZ_COUNT} refused, memory ${growth >= 0 ? '+' : ''}${(growth / 2 ** 20).toFixed(1)} MiB, the victim's slowest acknowledgement took ${worstMs.toFixed(0)} ms`,
    )
    assert.ok(growth <= RSS_GROWTH_MAX_BYTES, `memory grew by ${growth} bytes`)
    await assertStored(hub, victim)
    assert.equal(hub.isRunning, true)
  }))

test('an old batch that comes again is acknowledged again and changes nothing', () =>
  onStage(async ({ hub, mallory }) => {
    const batches = Array.from({ length: 20 }, (_, i) => mallory.seal(Date.now() - 20_000 + i * 1000))
    for (const batch of batches) await mallory.deliver(batch)
    const samplesBefore = await samples(hub, 'raw_value{agent="mallory"}[1h]')
    const duplicates = async () => (await metricsOf(hub)).get('heliograph_ingest_batches_duplicate_total') ?? 0
    await mallory.answered()
    const before = await duplicates()
    const acksBefore = mallory.acks.length
    for (const times of [1, 2]) {
      for (const { bytes } of [...batches].reverse()) mallory.publish(bytes)
      await until('every copy is acknowledged', () => mallory.acks.length === acksBefore + times * batches.length)
    }
    assert.equal((await duplicates()) - before, 2 * batches.length, 'duplicates are counted exactly')
    assert.deepEqual(await samples(hub, 'raw_value{agent="mallory"}[1h]'), samplesBefore)
    // And after a restart, when all that the hub knows comes from its log.
    await hub.kill()
    await hub.restart()
    await mallory.connected()
    mallory.publish(batches[3]!.bytes)
    await until('it is known as a duplicate', async () => (await duplicates()) === 1)
    assert.deepEqual(await samples(hub, 'raw_value{agent="mallory"}[1h]'), samplesBefore)
  }))

test('a revoked key is cut off at once, says nothing more, and comes back only by an operator', (t) =>
  onStage(async ({ world, hub, mallory }) => {
    await mallory.deliver(mallory.seal())
    await operate(t, world, hub, 'revoke', 'mallory')
    await until('it is cut off', () => mallory.bus.status !== 'connected')
    await until('it is refused', () => hub.output.includes('agent \\"mallory\\" was revoked'))
    const storedBefore = (await metricsOf(hub)).get('heliograph_ingest_batches_stored_total')
    const next = mallory.seal()
    mallory.publish(next.bytes)
    await sleep(1500)
    assert.notEqual(mallory.bus.status, 'connected')
    assert.equal((await metricsOf(hub)).get('heliograph_ingest_batches_stored_total'), storedBefore)
    assert.ok(((await metricsOf(hub)).get('heliograph_bus_auth_failures_total') ?? 0) > 0)
    const { publicKey } = await agentRecord(hub, 'mallory')
    await operate(t, world, hub, 'approve', 'mallory', publicKey)
    await mallory.connected()
    await mallory.deliver(next)
    await assertStored(hub, mallory)
  }))

test('an unknown key is refused, and the log names the command that enrols it', (t) =>
  onStage(async ({ world, hub }) => {
    const stranger = new RawAgent({ agent: 'stranger', seed: generateSeed(systemRandom), busUrl: hub.busUrl })
    world.onClose(() => stranger.bus.close())
    const command = await until('the log names the command', () =>
      /heliograph-hub (agents approve stranger U[A-Z0-9]{55})/.exec(hub.output),
    )
    assert.notEqual(stranger.bus.status, 'connected')
    await operate(t, world, hub, ...command[1]!.split(' ').slice(1))
    await stranger.connected()
    await stranger.deliver(stranger.seal())
    await assertStored(hub, stranger)
  }))

test('on a real NATS, what can never be stored does not hold up the stream', { skip: lacks('nats-server') }, (t) =>
  withWorld(async (world) => {
    const nats = await world.startNats()
    const hub = await world.prepareHub({ nats: nats.natsUrl, config: 'scrape_configs: []' })
    const good = new RawAgent({ agent: 'good', seed: approvedSeed(hub, 'good'), busUrl: nats.natsUrl })
    const lost = new RawAgent({ agent: 'lost', seed: approvedSeed(hub, 'lost'), busUrl: nats.natsUrl })
    const stranger = new RawAgent({ agent: 'stranger', seed: generateSeed(systemRandom), busUrl: nats.natsUrl })
    world.onClose(() => Promise.all([good, lost, stranger].map(({ bus }) => bus.close())).then(() => {}))
    await hub.restart()
    await Promise.all([good, lost, stranger].map((agent) => agent.connected()))
    await good.deliver(good.seal())
    // More of each than the feed has in hand at once.
    const [keyframe, ...dependents] = Array.from({ length: 60 }, (_, i) => lost.seal(Date.now() - 60_000 + 1000 * i))
    for (let i = 0; i < 300; i++) {
      stranger.publish(stranger.seal().bytes)
      stranger.publish(systemRandom.bytes(200).fill(0xee, 0, 2))
      lost.publish(dependents[i % dependents.length]!.bytes)
    }
    const startedMs = performance.now()
    await good.deliver(good.seal())
    t.diagnostic(
      `900 hopeless messages before it, a good batch was stored in ${(performance.now() - startedMs).toFixed(0)} ms`,
    )
    // The agent that was asked for its keyframe brings it, and all that stands on it.
    await until('a keyframe is wanted', () => lost.acks.some(({ kind }) => kind === 'keyframe-wanted'))
    for (const batch of [keyframe!, ...dependents]) await lost.deliver(batch)
    const refused = await untilHolds('each is counted', async () => {
      const counts = await refusedBy(hub)
      assert.deepEqual([counts.get('unknown_agent'), counts.get('bad_magic')], [300, 300])
      return counts
    })
    await sleep(1500)
    assert.deepEqual(await refusedBy(hub), refused, 'none of them comes again')
    await assertStored(hub, good)
    await assertStored(hub, lost)
  }),
)

test('an identity hears and says only what is its own on the bus', () =>
  onStage(async ({ hub, mallory, victim }) => {
    const violations = async () => (await metricsOf(hub)).get('heliograph_bus_permission_violations_total') ?? 0
    const overheard: string[] = []
    const forbidden = [
      '>',
      '*.*.*.*',
      ackSubject('victim'),
      `${SUBJECT_PREFIX}.ack.*`,
      `${SUBJECT_PREFIX}.samples.>`,
      controlSubject('victim'),
      '_INBOX_victim.>',
      '_INBOX.>',
      '$SRV.>',
    ]
    const before = await violations()
    for (const subject of forbidden) mallory.bus.subscribe(subject, (message) => void overheard.push(message.subject))
    await until('every subscription is refused', async () => (await violations()) === before + forbidden.length)
    await victim.deliver(victim.seal())
    await victim.answered()
    assert.deepEqual(overheard, [])

    const acks = victim.acks.length
    const heard: string[] = []
    victim.bus.subscribe(controlSubject('victim'), (message) => void heard.push(message.subject))
    await victim.bus.flush()
    const unspeakable = [
      ackSubject('victim'),
      samplesSubject({ site: 'main', agent: 'victim' }),
      cursorSubject('victim'),
      controlSubject('victim', 'reload'),
      controlSubject('mallory', 'reload'),
      '_INBOX_victim.x',
      `${SUBJECT_PREFIX}.alerts.x`,
    ]
    const spoken = await violations()
    const refused = sum(await refusedBy(hub))
    for (const subject of unspeakable) mallory.bus.publish(subject, victim.seal().bytes)
    await until('every publish is refused', async () => (await violations()) === spoken + unspeakable.length)
    assert.equal(sum(await refusedBy(hub)), refused, 'none of them has reached ingest')
    assert.deepEqual([victim.acks.length, heard], [acks, []])
    assert.match(hub.output, /permission-violation/)
    assert.equal(mallory.bus.status, 'connected')
    await mallory.deliver(mallory.seal())
  }))

/** Runs the command as an operator would, beside the running hub. */
async function operate(t: TestContext, world: World, hub: Hub, ...words: string[]): Promise<void> {
  const args = [
    `${ROOT}/hub/main.ts`,
    'agents',
    ...words,
    `--storage.tsdb.path=${hub.dataFolder}`,
    `--web.listen-address=${hub.address}`,
  ]
  const { code, stdout, stderr } = await world.run(process.execPath, args)
  assert.equal(code, 0, stderr)
  t.diagnostic(`agents ${words.join(' ')}: ${stdout.trim()}`)
}

async function agentRecord(hub: Hub, agent: string): Promise<{ readonly publicKey: string }> {
  const response = await fetch(`${hub.url}/api/v1/agents`)
  const { data } = (await response.json()) as { data: { agents: { agent: string; publicKey: string }[] } }
  return data.agents.find((each) => each.agent === agent)!
}

async function refusedBy(hub: Hub): Promise<Map<string, number>> {
  const out = new Map<string, number>()
  for (const [name, value] of await metricsOf(hub)) {
    const reason = /^heliograph_ingest_batches_refused_total\{reason="(\w+)"\}$/.exec(name)?.[1]
    if (reason !== undefined) out.set(reason, value)
  }
  return out
}

/** Every sample that was sealed and delivered is there, once; nothing else is. */
async function assertStored(hub: Hub, { agent, sealed }: RawAgent): Promise<void> {
  const [row] = await samples(hub, `raw_value{agent="${agent}"}[1h]`)
  const values = row!.values.map(([, text]) => Number(text))
  assert.deepEqual(
    [...values].sort((a, b) => a - b),
    [...new Set(values)].sort((a, b) => a - b),
    'no sample is there twice',
  )
  assert.ok(
    values.every((value) => value >= 0 && value < sealed),
    'nothing else is there',
  )
  assert.equal(values.at(-1), sealed - 1, 'the last good sample is there')
}

/** One to four bytes changed, or a piece cut out, or a piece doubled; never the batch itself. */
function mutated(bytes: Uint8Array, random: () => number): Uint8Array {
  const at = Math.floor(random() * bytes.length)
  const length = 1 + Math.floor(random() * 40)
  const kind = Math.floor(random() * 3)
  if (kind === 1) return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + length)])
  if (kind === 2) return Uint8Array.from([...bytes.subarray(0, at + length), ...bytes.subarray(at)])
  const out = bytes.slice()
  for (let i = 0; i < length / 10; i++) out[(at + i * length) % out.length]! ^= 1 + Math.floor(random() * 255)
  return out
}

const sum = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((a, b) => a + b, 0)
const countOf = (text: string, part: string): number => text.split(part).length - 1
