/**
 * Deletions through the admin API while the hub is killed: each of numbers that were acknowledged before, of one series.
 * One that was answered must never be undone; one whose answer was lost may have been carried out, or not.
 */
import { Driver } from '../e2e/bad-day/driver.ts'
import type { Server } from '../e2e/client.ts'

/** Whose samples are deleted. */
export type Deletable = { readonly acked: ReadonlySet<number>; timeOf(n: number): number }

type Deletion = { readonly series: string; readonly from: number; readonly to: number; isAnswered: boolean }

const BATCHES_MAX = 40

export class Deletions {
  readonly #server: Server
  readonly #random: () => number
  readonly #list: Deletion[] = []
  readonly problems: string[] = []

  constructor(server: Server, random: () => number) {
    this.#server = server
    this.#random = random
  }

  get answered(): number {
    return this.#list.filter(({ isAnswered }) => isAnswered).length
  }

  /** Numbers in a row, of one series of the metric. */
  async delete(metric: string, names: readonly string[], sender: Deletable): Promise<void> {
    const acked = [...sender.acked]
    const first = acked[Math.floor(this.#random() * acked.length)]
    if (first === undefined) return
    const most = first + 1 + Math.floor(this.#random() * BATCHES_MAX)
    let end = first + 1
    while (end < most && sender.acked.has(end)) end++
    const series = names[Math.floor(this.#random() * names.length)]!
    const deletion = { series, from: Driver.samplesOf(first)[0], to: Driver.samplesOf(end)[0], isAnswered: false }
    this.#list.push(deletion)
    const seconds = (n: number): string => String(sender.timeOf(n) / 1000)
    deletion.isAnswered = await this.#ask('delete_series', {
      'match[]': `${metric}{series="${series}"}`,
      start: seconds(deletion.from),
      end: seconds(deletion.to - 1),
    })
  }

  /** Until all blocks are rid of what was deleted, or the hub is gone. */
  async clean(): Promise<void> {
    await this.#ask('clean_tombstones', {})
  }

  mayBeGone(series: string, n: number): boolean {
    return this.#list.some((each) => each.series === series && n >= each.from && n < each.to)
  }

  mustBeGone(series: string, n: number): boolean {
    return this.#list.some((each) => each.isAnswered && each.series === series && n >= each.from && n < each.to)
  }

  async #ask(action: string, form: Readonly<Record<string, string>>): Promise<boolean> {
    let response: Response
    try {
      response = await fetch(`${this.#server.url}/api/v1/admin/tsdb/${action}`, {
        method: 'POST',
        body: new URLSearchParams(form),
      })
    } catch {
      // Killed meanwhile.
      return false
    }
    const text = await response.text().catch(() => '')
    // A hub that is ending, or whose block thread ended, says so.
    if (response.status !== 204 && response.status < 500) this.problems.push(`${action}: ${response.status} ${text}`)
    return response.status === 204
  }
}
