import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { type GunzipEvents, type Gunzipper, StreamGunzip, TurnGunzip } from './net-gunzip.ts'
import { openGunzipContext } from './net-zlib.ts'

const MIB = 1024 * 1024
const ways: readonly (readonly [name: string, open: (events: GunzipEvents) => Gunzipper])[] = [
  ['in turns', (events) => new TurnGunzip(openGunzipContext()!, events)],
  ['through a stream', (events) => new StreamGunzip(events)],
]

/** As an exchange does: waits for `drain` where it is told to. */
async function inflated(open: (events: GunzipEvents) => Gunzipper, pieces: readonly Uint8Array[]): Promise<Buffer> {
  const out: Uint8Array[] = []
  let onDrain = (): void => {}
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const gunzip = open({
    data: (bytes) => void out.push(bytes.slice()),
    end: resolve,
    fail: reject,
    drain: () => onDrain(),
  })
  try {
    for (const piece of pieces) {
      const borrowed = piece.slice()
      const drained = new Promise<void>((drain) => {
        onDrain = drain
      })
      if (!gunzip.write(borrowed)) await Promise.race([drained, promise])
      borrowed.fill(0)
    }
    gunzip.end()
    await promise
    return Buffer.concat(out)
  } finally {
    gunzip.close()
    gunzip.close()
  }
}

function cut(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
}

test('this runtime lets zlib be driven by its handle', () => {
  const context = openGunzipContext()
  assert.notEqual(context, null)
  context!.close()
})

for (const [name, open] of ways) {
  test(`${name}: what was compressed comes out, of any members in any pieces`, async () => {
    const members = fc.array(fc.tuple(fc.nat(2 * MIB), fc.boolean()), { minLength: 1, maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(members, fc.integer({ min: 500, max: 300_000 }), async (sizes, pieceBytes) => {
        const parts = sizes.map(([size, isEven]) => {
          const part = Buffer.alloc(size, 'metric 1\n')
          if (!isEven) for (let i = 0; i < size; i += 7) part[i] = (i * 31) >> 3
          return part
        })
        const packed = Buffer.concat(parts.map((part) => gzipSync(part)))
        assert.ok((await inflated(open, cut(packed, pieceBytes))).equals(Buffer.concat(parts)))
      }),
      { numRuns: 8 },
    )
  })

  test(`${name}: what follows the last member is ignored, damage and a cut are refused`, async () => {
    const good = gzipSync('metric 1\n'.repeat(500))
    assert.equal((await inflated(open, [good, Buffer.alloc(50)])).length, 4500)
    const flipped = Buffer.from(good)
    flipped[20]! ^= 0xff
    for (const bad of [Buffer.from('not gzip'), good.subarray(0, 30), flipped, good.subarray(0, -1)])
      for (const size of [1, 5, 1000]) await assert.rejects(inflated(open, cut(bad, size)), Error)
  })
}

test('a bomb takes many turns of the event loop, and ends where it is closed', async () => {
  const bomb = gzipSync(Buffer.alloc(64 * MIB))
  let bytes = 0
  let turns = 0
  const { promise, resolve } = Promise.withResolvers<void>()
  const gunzip = new TurnGunzip(openGunzipContext()!, {
    data: (piece) => {
      bytes += piece.length
      if (bytes < 16 * MIB) return
      gunzip.close()
      resolve()
    },
    end: () => assert.fail('it ended'),
    fail: (error) => assert.fail(error),
    drain: () => assert.fail('it was inflated to its end'),
  })
  const count = (): void => {
    turns++
    if (bytes < 16 * MIB) setImmediate(count)
  }
  count()
  assert.equal(gunzip.write(bomb), false)
  await promise
  await new Promise((done) => setImmediate(done))
  assert.equal(bytes, 16 * MIB)
  assert.ok(turns >= 15, `${turns} turns`)
})

test('input that says nothing takes turns too', async () => {
  // Blocks of no bytes that are not the last.
  const blocks = Buffer.from(Array.from({ length: MIB / 5 }, () => [0, 0, 0, 0xff, 0xff]).flat())
  let turns = 0
  let isDrained = false
  const gunzip = new TurnGunzip(openGunzipContext()!, {
    data: () => assert.fail('it said something'),
    end: () => assert.fail('it ended'),
    fail: (error) => assert.fail(error),
    drain: () => {
      isDrained = true
    },
  })
  gunzip.write(gzipSync('').subarray(0, 10))
  assert.equal(gunzip.write(blocks), false)
  while (!isDrained) {
    await new Promise((done) => setImmediate(done))
    turns++
  }
  gunzip.close()
  assert.ok(turns >= 5, `${turns} turns`)
})
