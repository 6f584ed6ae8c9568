/**
 * Looks at a large page while it arrives: one that has more samples than it may, or a line that is too long, fails
 * whatever follows, and need not be kept. What is told of it is what the whole page would have been told: it is counted
 * to its end.
 * Hot: bench/e2e/bad-day-targets.test.ts
 */
import { contentTypeFor } from '../../protocol/exposition/mod.ts'
import { countsByLines, sampleLimit, sampleLimitError } from './sample-limit.ts'
import type { ScrapeTargetConfig } from './target.ts'

/** As protocol/exposition/page-reader.ts: no batch could carry such a series. */
const LINE_BYTES_MAX = 256 * 1024
const LF = 0x0a
const CR = 0x0d
const TAB = 0x09
const SPACE = 0x20
const QUOTE = 0x22
const HASH = 0x23
const BACKSLASH = 0x5c

export type Verdict = {
  readonly error: string
  readonly isOverSampleLimit: boolean
  /** Of samples, as far as they were of use. */
  readonly lines: number
  /** Of the whole page. */
  readonly bytes: number
}

export class PageJudge {
  readonly #config: ScrapeTargetConfig
  /**
   * Lines of samples that the page may have; infinite where they do not tell. Twice the limit: those that repeat a series
   * are none of its samples, and to tell them apart here would cost every large page a hash for each line.
   */
  readonly #linesMax: number
  readonly #isText: boolean
  #lines = 0
  #bytes = 0
  #isStart = true
  /** The present line shows a sample. */
  #isSample = false
  /** Inside quotes of a sample's line; the byte before was a backslash there. */
  #isQuoted = false
  #isEscaped = false
  #lineStart = 0
  #longBytes = 0
  #isLongLineOpen = false
  #linesBeforeLong = 0

  constructor(config: ScrapeTargetConfig, contentType: string) {
    const { parser } = contentTypeFor(contentType, config.fallbackProtocol)
    this.#config = config
    this.#isText = parser === 'text' || parser === 'openmetrics'
    this.#linesMax = this.#isText && countsByLines(config, parser!) ? 2 * sampleLimit(config) : Number.POSITIVE_INFINITY
  }

  /** False: the page is refused, whatever follows. */
  take(piece: Uint8Array): boolean {
    if (!this.#isText) return true
    // After a line that is too long nobody counts.
    if (this.#longBytes === 0) this.#walk(piece)
    else this.#measure(piece)
    this.#bytes += piece.length
    return this.#longBytes === 0 && this.#lines <= this.#linesMax
  }

  /** null: the page is to be read. */
  verdict(): Verdict | null {
    const bytes = this.#bytes
    if (this.#lines > this.#linesMax)
      return { error: sampleLimitError(this.#config), isOverSampleLimit: true, lines: this.#lines, bytes }
    if (this.#longBytes === 0) return null
    const error = `a line of ${this.#longBytes} bytes is longer than ${LINE_BYTES_MAX} bytes`
    return { error, isOverSampleLimit: false, lines: this.#linesBeforeLong, bytes }
  }

  /** Semantics: `sampleLineCount`. */
  #walk(piece: Uint8Array): void {
    const base = this.#bytes
    let lines = this.#lines
    let isStart = this.#isStart
    let isSample = this.#isSample
    let isQuoted = this.#isQuoted
    let isEscaped = this.#isEscaped
    let lineStart = this.#lineStart
    const linesMax = this.#linesMax
    let at = 0
    for (; at < piece.length; at++) {
      const byte = piece[at]!
      if (isQuoted) {
        if (isEscaped) isEscaped = false
        else if (byte === BACKSLASH) isEscaped = true
        else if (byte === QUOTE) isQuoted = false
      } else if (byte === LF) {
        if (isSample && base + at - lineStart > LINE_BYTES_MAX && lines <= linesMax) break
        isStart = true
        isSample = false
        lineStart = base + at + 1
      } else if (isStart) {
        if (byte === SPACE || byte === TAB) continue
        isStart = false
        isSample = byte !== HASH && byte !== CR
        if (isSample) lines++
      } else if (byte === QUOTE && isSample) isQuoted = true
    }
    this.#lines = lines
    this.#isStart = isStart
    this.#isSample = isSample
    this.#isQuoted = isQuoted
    this.#isEscaped = isEscaped
    this.#lineStart = lineStart
    if (!isSample || base + at - lineStart <= LINE_BYTES_MAX || lines > linesMax) return
    this.#linesBeforeLong = lines - 1
    this.#isLongLineOpen = true
    this.#longBytes = base + at - lineStart
    this.#measure(piece.subarray(at))
  }

  /** How long the line that is too long becomes. */
  #measure(piece: Uint8Array): void {
    if (!this.#isLongLineOpen) return
    const end = piece.indexOf(LF)
    this.#isLongLineOpen = end < 0
    this.#longBytes += end < 0 ? piece.length : end
  }
}
