/** What a hub holds of the oracle that an agent scrapes, held against what the oracle served and the ledger says. */
import assert from 'node:assert/strict'
import { judge, type OracleTarget } from '../oracle.ts'
import { type Server, samples } from '../world.ts'
import { type Gap, gapsOf } from './kit.ts'
import { judgeSlots, type SlotVerdict } from './verdicts.ts'

const WINDOW = '[3h]'
/** Of the agent's configuration. */
const INTERVAL_MS = 1000
/** A starved test process serves a scrape long after the agent has given it up. */
const SERVED_LATE_MS = 5000

export type Account = {
  /** By time in ms: whether the scrape went well. */
  readonly ups: ReadonlyMap<number, boolean>
  /** Numbers of the stored scrapes by time in ms. */
  readonly stored: ReadonlyMap<number, number>
  readonly gaps: readonly Gap[]
  readonly slots: SlotVerdict
  readonly problems: readonly string[]
}

/** Every slot has its `up`, and where that is 1 the whole scrape, or it is in the ledger. */
export async function accountOf(hub: Server, agent: string, oracle: OracleTarget): Promise<Account> {
  const [up] = await samples(hub, `up{job="oracle", agent="${agent}"}${WINDOW}`)
  const scrapes = await samples(hub, `oracle_scrape{agent="${agent}"}${WINDOW}`)
  const values = await samples(hub, `oracle_value{agent="${agent}"}${WINDOW}`)
  const gaps = (await gapsOf(hub, agent)).filter(({ target }) => target.startsWith('oracle/'))
  const ups = new Map((up?.values ?? []).map(([seconds, text]) => [Math.round(seconds * 1000), text === '1']))
  const counts = { sentCount: oracle.scrapes.length, seriesCount: oracle.seriesCount }
  const { stored, problems } = judge(scrapes, values, counts)
  const slots = judgeSlots([...ups.keys()], gaps, INTERVAL_MS)
  const torn = [...ups].filter(([timeMs, isUp]) => isUp !== stored.has(timeMs)).map(([timeMs]) => timeMs)
  const more = torn.length > 0 ? [`up and the samples disagree at ${torn}`] : []
  return { ups, stored, gaps, slots, problems: [...problems, ...slots.problems, ...more] }
}

/**
 * A scrape that was served and is not stored was lost in the agent's memory, and the ledger owns up to its slot; or the
 * agent had given it up when the answer came, and its slot holds up 0.
 */
export function assertAccounted(
  oracle: OracleTarget,
  ups: Account['ups'],
  stored: Account['stored'],
  gaps: Account['gaps'],
): void {
  const known = new Set(stored.values())
  const newest = Math.max(...known)
  const givenUp = [...ups].filter(([, isUp]) => !isUp).map(([timeMs]) => timeMs)
  for (const { n, servedMs } of oracle.scrapes) {
    if (known.has(n) || n > newest) continue
    const isListed = gaps.some(({ fromMs, toMs }) => servedMs >= fromMs && servedMs < toMs + INTERVAL_MS)
    const isGivenUp = givenUp.some((timeMs) => servedMs >= timeMs && servedMs < timeMs + SERVED_LATE_MS)
    assert.ok(
      isListed || isGivenUp,
      `scrape ${n} (served ${new Date(servedMs).toISOString()}) is neither stored nor in a gap nor failed`,
    )
  }
}
