/**
 * New objects of the main thread: V8 lets their space grow to 48 MB before it looks what of them still lives. Ours are
 * few and die young, so it stays as small as it begins; collecting it more often costs less than a percent of the CPU.
 * For threads, pool.ts says the same by their limits. Not for a hub: its queries took 30 % more CPU with it.
 */
import { setFlagsFromString } from 'node:v8'

/** Does nothing on a runtime without V8. */
export function keepHeapSmall(): void {
  try {
    setFlagsFromString('--semi-space-growth-factor=1')
  } catch {
    // Bun has its own collector.
  }
}
