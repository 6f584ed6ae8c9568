/**
 * How hub/bin.mjs and agent/bin.mjs start their programs, and for the reasons that are given there: for whoever starts
 * hub/main.ts or agent/main.ts itself. That they agree is tested.
 */
const SHARED = { UV_THREADPOOL_SIZE: '16', MALLOC_ARENA_MAX: '2' } as const

export const LAUNCH = {
  hub: {
    env: { ...SHARED, MALLOC_MMAP_THRESHOLD_: '1048576' },
    nodeFlags: ['--min-semi-space-size=4'],
  },
  agent: {
    env: { ...SHARED, MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '131072' },
    nodeFlags: [],
  },
} as const
