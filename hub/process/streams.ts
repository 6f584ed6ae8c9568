/** Batches from the bus into ingest, and what ingest says of them back to the agents. */

import type { NatsBus } from '../../agent/env/nats-bus.ts'
import { encodeAck, encodeCursor } from '../../protocol/batch/mod.ts'
import type { Bus, BusMessage, Logger } from '../../protocol/env/mod.ts'
import {
  ackSubject,
  CURSOR_PATTERN,
  parseAgentSubject,
  parseBatchSubject,
  streamPattern,
} from '../../protocol/subjects/mod.ts'
import { type StreamFeed, startStreamFeed } from '../env/jetstream.ts'
import type { BatchAnswer, Ingest } from '../ingest/mod.ts'

const NAK_DELAY_MS = 1000

export type StreamEnv = { readonly ingest: Ingest; readonly log: Logger; readonly hub: string }

/** The embedded bus: batches are plain messages. */
export function serveEmbedded(bus: Bus, env: StreamEnv): void {
  for (const stream of ['samples', 'backlog'] as const) {
    bus.subscribe(streamPattern(stream), (message) => void take(bus, message, env))
  }
  serveCursors(bus, env)
}

/** A real NATS: batches come from the JetStream stream and are acknowledged to it once they are safe here. */
export function serveNats(bus: NatsBus, env: StreamEnv): StreamFeed {
  serveCursors(bus, env)
  return startStreamFeed({
    bus,
    durable: `hub_${env.hub}`,
    onWarning: (warning) => env.log.warn('NATS', { err: warning }),
    onMessage: (message, done) => {
      void take(bus, message, env).then((answered) => (answered ? done.ack() : done.nak(NAK_DELAY_MS)))
    },
  })
}

/**
 * False when the message should come again: nothing else than want of room does that. Whoever waits for a keyframe or for
 * an operator is not held here: such messages would fill the feed's window until nothing else came through, the
 * keyframe not either. Their agents have the batches, and send them again.
 */
async function take(bus: Bus, message: BusMessage, { ingest, log }: StreamEnv): Promise<boolean> {
  const { subject } = message
  let answer: BatchAnswer
  try {
    // The payload is borrowed, and ingest detaches what it is given.
    answer = await ingest.submitBatch(subject, message.payload.slice())
  } catch (err) {
    log.error('A batch could not be taken', { subject, err })
    return false
  }
  if (answer === null) return false
  // Ingest has counted and logged a subject that is none; there is nobody to answer.
  const agent = agentOf(subject)
  if (answer !== 'silent' && agent !== null) publish(bus, ackSubject(agent), encodeAck(answer), log)
  return true
}

function agentOf(batchSubject: string): string | null {
  try {
    return parseBatchSubject(batchSubject).agent
  } catch {
    return null
  }
}

function serveCursors(bus: Bus, { ingest, log }: StreamEnv): void {
  bus.subscribe(CURSOR_PATTERN, (message) => {
    const { reply, subject } = message
    if (reply === '') return
    let agent: string
    try {
      agent = parseAgentSubject(subject).agent
    } catch {
      return
    }
    ingest.cursor(agent).then(
      (cursor) => publish(bus, reply, encodeCursor(cursor), log),
      (err) => log.error('A cursor could not be read', { agent, err }),
    )
  })
}

function publish(bus: Bus, subject: string, payload: Uint8Array, log: Logger): void {
  try {
    bus.publish(subject, payload)
  } catch (err) {
    // The agent asks again: acknowledgements may get lost anyway.
    log.debug('An answer could not be published', { subject, err })
  }
}
