/** What is wrong with an export of samples of all kinds. */
import { Driver } from '../e2e/bad-day/driver.ts'
import type { Sender } from '../e2e/bad-day/verdicts.ts'
import type { Deletions } from './deletions.ts'
import type { RawRows } from './raw-read.ts'
import { sampleOf, textOf } from './samples.ts'

/**
 * As `judgeDriver`, of samples of all kinds: acknowledged less deleted ⊆ stored ⊆ sent less deleted, each once, in order
 * and bit for bit.
 */
export function judgeRaw(
  { sender, deletions }: { readonly sender: Sender; readonly deletions: Deletions },
  rows: RawRows,
  acked: ReadonlySet<number>,
  forgottenBefore: number,
): { readonly stored: number; readonly lost: number; readonly problems: readonly string[] } {
  const problems: string[] = []
  if (rows.size !== sender.seriesCount) problems.push(`${rows.size} series are stored instead of ${sender.seriesCount}`)
  let stored = 0
  let lost = 0
  for (const [series, row] of rows) {
    const seen = new Set<number>()
    for (const [timeMs, text] of row) {
      const n = sender.numberAt(timeMs)
      if (seen.has(n)) problems.push(`${series} has ${timeMs} twice`)
      seen.add(n)
      if (!(Number.isInteger(n) && n >= 0 && n < sender.sentCount))
        problems.push(`${series} has a sample at ${timeMs} that was never sent`)
      else if (deletions.mustBeGone(series, n)) problems.push(`${series} has sample ${n} again, which was deleted`)
      else if (!isAsSent(text, series, n, n < forgottenBefore))
        problems.push(`${series} holds ${text} for sample ${n} instead of ${textOf(sampleOf(series, n))}`)
    }
    stored += row.length
    let missing = 0
    for (const sequence of acked) {
      const [from, to] = Driver.samplesOf(sequence)
      for (let n = from; n < to; n++)
        if (!seen.has(n) && n >= forgottenBefore && !deletions.mayBeGone(series, n)) missing++
    }
    lost += missing
    if (missing > 0) problems.push(`${series} lost ${missing} samples`)
  }
  return { stored, lost, problems: problems.slice(0, 20) }
}

/** Beyond retention a downsampled window may stand for samples; of a stale marker it does not tell which kind it was. */
function isAsSent(text: string, series: string, n: number, isForgotten: boolean): boolean {
  const sent = textOf(sampleOf(series, n))
  return text === sent || (isForgotten && text === 'stale' && sent === 'stale histogram')
}
