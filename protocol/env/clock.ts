/** Time and timers. Wall time may jump; `monotonic` never goes back. */
export interface Clock {
  /** Wall time: milliseconds since the Unix epoch, may carry a fraction. */
  now(): number
  /** Milliseconds since an arbitrary start, with a fraction; never decreases. */
  monotonic(): number
  /** Calls `fn` once, `delayMs` from now (monotonic). `unref` timers do not keep the process alive. */
  setTimer(delayMs: number, fn: () => void, options?: { readonly unref?: boolean }): Timer
  /** Resolves after `delayMs`; rejects with the signal's reason when aborted. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

export interface Timer {
  cancel(): void
}
