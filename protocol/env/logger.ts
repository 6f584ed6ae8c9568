/** Structured logs: one event, a constant message, and fields. The adapter writes logfmt or JSON to stderr. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFields = Readonly<Record<string, unknown>>

export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger that adds `fields` (for example `{ component: 'scrape' }`) to every event. */
  with(fields: LogFields): Logger
}
