/** How far a long command is, told to whoever runs it. */

export interface Progress {
  /** @param total in the unit of `advance` */
  begin(what: string, total: number): void
  advance(by: number): void
  /** The bar goes; a line may follow. */
  end(): void
  note(text: string): void
}

/** A time as people read it, or its ms, where no calendar has it. */
export function dateOf(ms: number): string {
  return Math.abs(ms) <= DATE_MAX_MS ? new Date(ms).toISOString() : `${ms} ms`
}

export type ProgressOptions = {
  /** A bar that is drawn over, or a line now and then. */
  readonly isTerminal: boolean
  readonly write: (text: string) => void
  readonly nowMs: () => number
}

/** The last that a Date can be. */
const DATE_MAX_MS = 8.64e15
const BAR_CELLS = 30
const BAR_EVERY_MS = 100
const LINE_EVERY_MS = 5000

export function createProgress({ isTerminal, write, nowMs }: ProgressOptions): Progress {
  let what = ''
  let total = 0
  let done = 0
  let begunMs = 0
  let shownMs = 0
  const draw = (): void => {
    const part = total > 0 ? Math.min(1, done / total) : 1
    const seconds = (nowMs() - begunMs) / 1000
    const left = part > 0 && part < 1 ? `, ${span((seconds / part) * (1 - part))} left` : ''
    const text = `${what}: ${String(Math.floor(part * 100)).padStart(3)}%${left}`
    if (!isTerminal) {
      write(`${text}\n`)
      return
    }
    const cells = Math.round(part * BAR_CELLS)
    write(`\r\x1b[K[${'#'.repeat(cells)}${'.'.repeat(BAR_CELLS - cells)}] ${text}`)
  }
  const clear = (): void => {
    if (isTerminal) write('\r\x1b[K')
  }
  return {
    begin(name, size) {
      what = name
      total = size
      done = 0
      begunMs = shownMs = nowMs()
      if (isTerminal) draw()
    },
    advance(by) {
      done += by
      const now = nowMs()
      if (now - shownMs < (isTerminal ? BAR_EVERY_MS : LINE_EVERY_MS)) return
      shownMs = now
      draw()
    },
    end: clear,
    note(text) {
      clear()
      write(`${text}\n`)
    },
  }
}

function span(seconds: number): string {
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole}s`
  return whole < 3600
    ? `${Math.floor(whole / 60)}m${whole % 60}s`
    : `${Math.floor(whole / 3600)}h${Math.floor((whole % 3600) / 60)}m`
}
