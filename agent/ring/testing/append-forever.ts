/**
 * A process for tests to kill: appends batches to the production ring in the directory of its first argument and
 * prints `epoch sequence size` once each is committed.
 */
import { systemClock, threadPool } from '../../env/mod.ts'
import { sqliteRingStore } from '../../env/ring-store.ts'
import { group, record } from './records.ts'

const ring = sqliteRingStore({ pool: threadPool, directory: process.argv[2]!, capBytes: 64_000_000 })
const { epoch } = await ring.open(systemClock.now())
for (let n = 0; ; n += 12)
  await Promise.all(
    Array.from({ length: 12 }, async (_, i) => {
      const sequence = n + i
      const one = record({ epoch, sequence, sizeBytes: 5000 + ((sequence * 977) % 60_000) })
      await ring.append(group(one))
      process.stdout.write(`${epoch} ${sequence} ${one.sizeBytes}\n`)
    }),
  )
