/**
 * `scrape_failure_log_file`: a line of JSON for every failed scrape. The file is opened for each line, so that logrotate
 * needs to tell nobody; a failed scrape is rare. What cannot be written is counted, and logged once per file.
 * Semantics: Prometheus util/logging/file.go and scrape.scrapePool.SetScrapeFailureLogger (v3.14).
 */
import type { Disk, Logger } from '../../protocol/env/mod.ts'
import { type ScrapeTargetConfig, targetUrl } from './target.ts'

const FILE_MODE = 0o640

export class FailureLog {
  /** Lines that could not be written. */
  lost = 0
  readonly #disk: Disk
  readonly #log: Logger
  readonly #failing = new Set<string>()

  constructor(disk: Disk, log: Logger) {
    this.#disk = disk
    this.#log = log
  }

  add(config: ScrapeTargetConfig, nowMs: number, error: string): void {
    const path = config.failureLogFile
    if (path === '') return
    const line = {
      time: new Date(nowMs).toISOString(),
      level: 'ERROR',
      msg: error,
      job_name: config.job,
      target: targetUrl(config.source),
    }
    try {
      const file = this.#disk.open(path, 'a', { mode: FILE_MODE })
      try {
        file.write(new TextEncoder().encode(`${JSON.stringify(line)}\n`))
      } finally {
        file.close()
      }
      this.#failing.delete(path)
    } catch (err) {
      this.lost++
      if (this.#failing.has(path)) return
      this.#failing.add(path)
      this.#log.error('A failed scrape could not be written to the scrape failure log', { file: path, err })
    }
  }
}
