/** A log for tests: its warnings and errors are kept. */
import type { Logger } from '../../../protocol/env/mod.ts'

export function keptLog(): { readonly log: Logger; readonly lines: string[] } {
  const lines: string[] = []
  const keep = (message: string): void => void lines.push(message)
  const log: Logger = { debug() {}, info() {}, warn: keep, error: keep, with: () => log }
  return { log, lines }
}
