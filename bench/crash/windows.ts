/**
 * Downsampled windows after kills: where samples are beyond their retention, windows of a second still tell how many
 * there were. None may count a sample twice; how many are whole is told, since a batch that came when its samples were
 * beyond retention already may be missing from them.
 */
import { queryRange, type Server } from '../e2e/client.ts'
import type { Deletable } from './deletions.ts'

const WIDTH_S = 1
const SAMPLES_PER_S = 200

export type Windows = { readonly whole: number; readonly wanted: number; readonly problems: readonly string[] }

/** @param endMs windows that end later are not looked at */
export async function judgeWindows(
  server: Server,
  selector: string,
  { sender, endMs }: { readonly sender: Deletable & { readonly seriesCount: number }; readonly endMs: number },
): Promise<Windows> {
  // The first sample stands at the end of a window, alone.
  const start = sender.timeOf(SAMPLES_PER_S) / 1000
  const end = Math.floor(endMs / 1000)
  if (end < start) return { whole: 0, wanted: 0, problems: [] }
  const rows = await queryRange(server, `count_over_time(${selector}[${WIDTH_S}s])`, { start, end, step: WIDTH_S })
  const problems: string[] = []
  let whole = 0
  for (const { metric, values } of rows) {
    for (const [time, text] of values) {
      if (text === String(SAMPLES_PER_S)) whole++
      else if (!(Number(text) < SAMPLES_PER_S))
        problems.push(`${selector}: series ${metric['series']} has ${text} samples in the second before ${time}`)
    }
  }
  return { whole, wanted: sender.seriesCount * (1 + (end - start) / WIDTH_S), problems: problems.slice(0, 20) }
}
