/**
 * The last warnings and errors of this process, for `heliograph-agent errors` and the local API: each kind once, with
 * how often and when it was last seen, and what to do about it. Bounded: the kind that was quiet longest goes first.
 */
import type { LogFields, Logger } from '../../protocol/env/mod.ts'
import { hintFor } from './hints.ts'

export type LoggedError = {
  readonly level: 'warn' | 'error'
  readonly message: string
  /** Like `component=uplink err="connect ECONNREFUSED"`. */
  readonly detail: string
  readonly count: number
  readonly firstMs: number
  readonly lastMs: number
  /** What an operator can do; '' where nothing is known. */
  readonly hint: string
}

const MAX_KINDS = 50
const MAX_DETAIL_CHARS = 500

export class ErrorLog {
  readonly #kinds = new Map<string, LoggedError>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** A logger that passes everything on and remembers what is a warning or an error. */
  watch(log: Logger, bound: LogFields = {}): Logger {
    const remembered =
      (level: 'warn' | 'error') =>
      (message: string, fields: LogFields = {}): void => {
        this.#remember(level, message, { ...bound, ...fields })
        log[level](message, fields)
      }
    return {
      debug: (message, fields) => log.debug(message, fields),
      info: (message, fields) => log.info(message, fields),
      warn: remembered('warn'),
      error: remembered('error'),
      with: (fields) => this.watch(log.with(fields), { ...bound, ...fields }),
    }
  }

  /** Newest first. */
  list(): readonly LoggedError[] {
    return [...this.#kinds.values()].sort((a, b) => b.lastMs - a.lastMs)
  }

  #remember(level: 'warn' | 'error', message: string, fields: LogFields): void {
    const now = this.#now()
    const key = JSON.stringify([message, fields['component'], fields['exporter'], fields['job'], fields['target']])
    const before = this.#kinds.get(key)
    const detail = detailOf(fields)
    this.#kinds.delete(key)
    if (this.#kinds.size >= MAX_KINDS) this.#kinds.delete(this.#kinds.keys().next().value!)
    this.#kinds.set(key, {
      level,
      message,
      detail,
      count: (before?.count ?? 0) + 1,
      firstMs: before?.firstMs ?? now,
      lastMs: now,
      hint: hintFor(`${message} ${detail}`),
    })
  }
}

function detailOf(fields: LogFields): string {
  const parts = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${shown(value)}`)
  const text = parts.join(' ')
  return text.length > MAX_DETAIL_CHARS ? `${text.slice(0, MAX_DETAIL_CHARS)}…` : text
}

function shown(value: unknown): string {
  const text =
    value instanceof Error ? value.message : typeof value === 'object' ? JSON.stringify(value) : String(value)
  return /[\s"=]/.test(text) ? JSON.stringify(text) : text
}
