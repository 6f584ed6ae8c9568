/** A life of the simulated storage: writes, batches, checkpoints, cuts, merges and retention, chosen by a seed. */
import type { Storage } from './storage.ts'
import { STEP_MS } from './storage.ts'

export type WorkloadOptions = {
  readonly steps: number
  readonly random: () => number
  /** Step after which the workload ends, as by a crash; all of them by default. */
  readonly onStep?: (step: number) => void
}

/** Of what is older than so many samples retention may take whole blocks. */
const RETENTION_MS = 36 * STEP_MS

/** Errors of blocks are survived, as the block thread does; those of the log end the life, as they end the process. */
export async function live(storage: Storage, { steps, random, onStep }: WorkloadOptions): Promise<void> {
  for (let step = 0; step < steps; step++) {
    onStep?.(step)
    const dice = random()
    if (dice < 0.4) storage.send('write', random)
    else if (dice < 0.75) storage.send('agent', random)
    else if (dice < 0.8) storage.checkpoint()
    else if (dice < 0.87) survive(() => storage.cut())
    else if (dice < 0.9) survive(() => storage.cutEarly())
    else if (dice < 0.96) survive(() => storage.maintain(0))
    else survive(() => storage.maintain(RETENTION_MS))
    if (random() < 0.6) storage.commit()
    if (random() < 0.5) await storage.step()
  }
}

function survive(fn: () => void): void {
  try {
    fn()
  } catch (error) {
    if ((error as { code?: string }).code === 'FATAL_DISK' || (error as Error).message.startsWith('BUG')) throw error
  }
}
