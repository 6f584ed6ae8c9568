/** Settings of V8 for a process that leaves next to no garbage. */
import { setFlagsFromString } from 'node:v8'

/**
 * Keeps V8's young space at its first size, a megabyte. Of its own accord it grows to 32 while a program loads its
 * modules, and stays there; an agent whose scrapes leave next to nothing behind never needs it again (40 MiB resident
 * of 225 with 20,000 series; CPU the same). Before the first allocations of note; for the whole process.
 */
export function keepYoungSpaceSmall(): void {
  set('--semi-space-growth-factor=1')
}

/** What the command line says of the first size (hub/bin.mjs) is for the main thread: others begin with V8's own. */
export function othersBeginSmall(): void {
  set('--min-semi-space-size=0')
}

/**
 * Collects the young space on the thread that fills it, as soon as it is full and not before. There is nothing to share
 * in a megabyte of which next to nothing lives: waking V8's helpers, and having them free buffers that another thread
 * had in its cache, was a twentieth of an agent's CPU (20 targets of 1,000 series a second). What is found in the old space
 * is still the helpers' business. For the whole process.
 */
export function collectYoungAlone(): void {
  set('--no-parallel-scavenge')
  set('--no-concurrent-array-buffer-sweeping')
  set('--no-minor-gc-task')
}

function set(flag: string): void {
  try {
    setFlagsFromString(flag)
  } catch {
    // Not V8.
  }
}
