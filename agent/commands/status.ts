/**
 * `status`: whether the agent of this host runs, reaches its hub and has lost anything. Exit status 0: all well; 1: it
 * runs, and something needs a look; 3: no agent answers (as the status of an LSB service).
 */
import { formatDuration } from '../../protocol/durations/mod.ts'
import type { AgentStatus } from '../process/operation-api.ts'
import { type Command, type CommandContext, flagOn, toggle } from './contract.ts'
import { errorLines } from './errors.ts'
import { askLocalAgent, LOCAL_FLAGS, NotRunningError } from './local-agent.ts'

const SHOWN_ERRORS = 3
const SHOWN_DOWN = 5
/** What is read of the answer of /api/v1/targets. */
type TargetList = {
  readonly activeTargets: readonly {
    readonly labels: Readonly<Record<string, string>>
    readonly health: string
    readonly lastError: string
  }[]
}

/** What is older and not acknowledged is a backlog, not the batch under way. */
const BACKLOG_MS = 60_000

export const status: Command = {
  summary: 'Tells whether the agent runs, reaches its hub, and how full its ring is.',
  usage: '',
  flags: [...LOCAL_FLAGS, toggle('json', 'Prints what the agent answered, as JSON.')],
  maxArguments: 0,
  async run(flags, context) {
    let answer: AgentStatus
    try {
      answer = (await askLocalAgent('/api/v1/status/agent', flags, context)) as AgentStatus
    } catch (error) {
      if (!(error instanceof NotRunningError)) throw error
      context.say('agent: not running')
      context.complain(`${error.message}. See: systemctl status heliograph-agent, journalctl -u heliograph-agent`)
      return 3
    }
    if (flagOn(flags, 'json')) context.say(JSON.stringify(answer))
    else {
      const isDown = answer.targets.down > 0
      const list = isDown ? ((await askLocalAgent('/api/v1/targets', flags, context)) as TargetList) : null
      show(answer, list === null ? [] : downLines(list), context)
    }
    return isWell(answer) ? 0 : 1
  },
}

export function isWell({ isReady, hub, ring }: AgentStatus): boolean {
  if (!isReady || ring === null || hub?.isConnected === false) return false
  return ring.overwrittenSamples === 0 && ring.lostBatches === 0
}

/** The targets that are down with the reason, the first few of them. */
export function downLines({ activeTargets }: TargetList): string[] {
  const down = activeTargets.filter(({ health }) => health === 'down')
  const lines = down
    .slice(0, SHOWN_DOWN)
    .map(({ labels, lastError }) => `${labels.job ?? ''} ${labels.instance ?? ''} down: ${lastError}`)
  if (down.length > SHOWN_DOWN) lines.push(`and ${down.length - SHOWN_DOWN} more: GET /api/v1/targets of the agent`)
  return lines
}

function show(answer: AgentStatus, down: readonly string[], { say }: CommandContext): void {
  const { hub, ring, targets, nowMs, errors } = answer
  const age = (ms: number): string => formatDuration(Math.max(0, Math.round((nowMs - ms) / 1000) * 1000))
  say(
    `agent: ${answer.isReady ? 'running' : 'starting'} since ${age(answer.startedMs)}, version ${answer.version}, id ${answer.agent}`,
  )
  say(`key: ${answer.publicKey}`)
  if (hub === null) say('hub: none configured; samples are kept and served here only')
  else say(`hub: ${hub.url} ${hub.isConnected ? 'connected' : 'NOT REACHED'}, ${hub.inFlightBatches} batches under way`)
  if (ring) {
    const fill = Math.round((100 * ring.fileBytes) / ring.capBytes)
    say(
      `ring: ${megabytes(ring.sizeBytes)} of batches, files ${megabytes(ring.fileBytes)} of ${megabytes(ring.capBytes)} (${fill}%)`,
    )
    const oldest = ring.oldestUnacknowledgedMs
    const backlog = oldest === null ? 'nothing waits' : `the oldest waits for ${age(oldest)}`
    const isLate = hub !== null && oldest !== null && nowMs - oldest > BACKLOG_MS
    say(
      `unacknowledged: ${ring.unacknowledgedBatches} batches, ${megabytes(ring.unacknowledgedBytes)}; ${backlog}${isLate ? ' (backlog)' : ''}`,
    )
    if (ring.overwrittenSamples > 0)
      say(`OVERWRITTEN before a hub had them: ${ring.overwrittenBatches} batches, ${ring.overwrittenSamples} samples`)
    if (ring.lostBatches > 0) say(`LOST to damage on disk: ${ring.lostBatches} batches`)
  }
  say(`targets: ${targets.up} up, ${targets.down} down, ${targets.unknown} not scraped yet`)
  for (const line of down) say(`  ${line}`)
  say(errors.length === 0 ? 'errors: none' : `errors: ${errors.length} kinds; heliograph-agent errors shows all`)
  for (const error of errors.slice(0, SHOWN_ERRORS)) for (const line of errorLines(error, nowMs)) say(`  ${line}`)
}

function megabytes(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`
}
