/** What the hub shows of its ingest: totals, and for every agent when it was last heard of and how far it lags. */
import type { HeadStats } from '../tsdb/head-contract.ts'
import type { ReplayReport, WalStats } from '../wal/mod.ts'
import type { AgentState, ChainBreak } from './agent-state.ts'
import type { CommitTimes } from './commit-times.ts'
import type { IngestCounters } from './counters.ts'
import type { Ledger } from './ledger.ts'
import type { Exceeded } from './limit-sight.ts'

export type AgentStatusOfIngest = {
  readonly agent: string
  /** Recorded inside the hub's own process. */
  readonly isLocal: boolean
  /** Of the last batch; 0 never. */
  readonly lastReceivedMs: number
  readonly newestSampleMs: number
  /** The hub's clock less the newest sample. */
  readonly lagMs: number
  /** All slots up to here are accounted for; null before the first. */
  readonly watermarkMs: number | null
  readonly samples: number
  readonly epochs: number
  /** Runs of batches that are missing. */
  readonly holes: number
  readonly chainBreaks: readonly ChainBreak[]
}

export type IngestStatus = {
  readonly counters: IngestCounters
  /** Batches not stored, by reason. */
  readonly refused: Readonly<Record<string, number>>
  readonly agents: readonly AgentStatusOfIngest[]
  readonly wal: WalStats
  readonly head: HeadStats
  readonly commits: CommitTimes
  readonly bytesSinceCheckpoint: number
  /** Limits that refused series, and whose; the worst first. */
  readonly exceeded: readonly Exceeded[]
  /** The disk. */
  readonly isFull: boolean
  /** As `IngestHead.isAlmostFull`. */
  readonly isMemoryFull: boolean
  /** So much of it is in use that blocks should be cut before their time: see pressure.ts. */
  readonly isMemoryHigh: boolean
  /** Something found no room in it since blocks were cut last. */
  readonly isMemoryFailing: boolean
  readonly availableBytes: number
  readonly replay: ReplayReport
}

export function describeAgents(
  agents: ReadonlyMap<string, AgentState>,
  sources: ReadonlyMap<string, { readonly ledger: Ledger; readonly newestMs: number; readonly samples: number }>,
  nowMs: number,
): AgentStatusOfIngest[] {
  const remote = [...agents.values()].map((agent) => ({
    agent: agent.agent,
    isLocal: false,
    lastReceivedMs: agent.lastReceivedMs,
    newestSampleMs: agent.newestSampleMs,
    lagMs: nowMs - agent.newestSampleMs,
    watermarkMs: agent.ledger.watermarkMs(agent.isComplete),
    samples: agent.samples,
    epochs: agent.epochs.size,
    holes: agent.holes,
    chainBreaks: agent.chainBreaks,
  }))
  const local = [...sources].map(([agent, { ledger, newestMs, samples }]) => ({
    agent,
    isLocal: true,
    lastReceivedMs: newestMs,
    newestSampleMs: newestMs,
    lagMs: nowMs - newestMs,
    watermarkMs: ledger.watermarkMs(true),
    samples,
    epochs: 1,
    holes: 0,
    chainBreaks: [],
  }))
  return [...local, ...remote]
}
