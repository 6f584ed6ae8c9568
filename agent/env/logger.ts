/** Logs to stderr as logfmt or JSON lines, in the shape of Prometheus's own (`time=… level=… msg=…`). */
import type { LogFields, Logger, LogLevel } from '../../protocol/env/mod.ts'

export type LogFormat = 'logfmt' | 'json'
export type LoggerOptions = {
  readonly level: LogLevel
  readonly format: LogFormat
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly write?: (line: string) => void
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }
/** One line stays one line and of bounded length, whatever a target or a client sent. */
const MAX_VALUE_CHARS = 2000

export function createLogger(options: LoggerOptions): Logger {
  const write = options.write ?? ((line: string) => void process.stderr.write(line))
  return makeLogger(options, write, {})
}

function makeLogger(options: LoggerOptions, write: (line: string) => void, bound: LogFields): Logger {
  const emit = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    if (RANK[level] < RANK[options.level]) return
    const time = new Date(options.now()).toISOString()
    const all = { time, level, msg: message, ...bound, ...fields }
    write(options.format === 'json' ? `${JSON.stringify(all, jsonValue)}\n` : `${logfmt(all)}\n`)
  }
  return {
    debug: (message, fields) => emit('debug', message, fields),
    info: (message, fields) => emit('info', message, fields),
    warn: (message, fields) => emit('warn', message, fields),
    error: (message, fields) => emit('error', message, fields),
    with: (fields) => makeLogger(options, write, { ...bound, ...fields }),
  }
}

function jsonValue(_key: string, value: unknown): unknown {
  if (value instanceof Error) return errorText(value)
  return typeof value === 'bigint' ? String(value) : value
}

function logfmt(fields: LogFields): string {
  const parts: string[] = []
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) parts.push(`${key}=${logfmtValue(value)}`)
  return parts.join(' ')
}

function logfmtValue(value: unknown): string {
  const raw =
    value instanceof Error ? errorText(value) : typeof value === 'object' ? JSON.stringify(value) : String(value)
  const text = raw.length > MAX_VALUE_CHARS ? `${raw.slice(0, MAX_VALUE_CHARS)}…` : raw
  return text === '' || /[\s"=\\\u0000-\u001f]/.test(text) ? JSON.stringify(text) : text
}

function errorText(error: Error): string {
  const cause = error.cause instanceof Error ? errorText(error.cause) : ''
  // Many errors say their cause already.
  return cause === '' || error.message.includes(cause) ? error.message : `${error.message}: ${cause}`
}
