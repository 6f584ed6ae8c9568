/**
 * NATS subjects of Heliograph: a public API, since users subscribe to them too.
 *
 *     helio.v1.samples.<partition>.<site>.<agent>   fresh batches
 *     helio.v1.backlog.<partition>.<site>.<agent>   batches that waited, beside the fresh ones
 *     helio.v1.ack.<agent>                          what hubs say about batches (CBOR, protocol/batch)
 *     helio.v1.cursor.<agent>                       request: which sequences are stored
 *     helio.v1.control.<agent>.<verb>               keyframe wanted, query the ring, reload
 *     helio.v1.query.<…>                            sub-queries between hubs
 *     helio.v1.alerts.<…>                           alert notifications
 *     helio.v1.live.<…>                             samples as they arrive
 *
 * Tokens are ids, never label values: a token is checked before it becomes part of a subject, so that nothing from a
 * config file or the wire can add a dot or a wildcard.
 */
export const SUBJECT_PREFIX = 'helio.v1'
export const PARTITION_COUNT = 64

/** A site or verb that cannot be a subject token, or a subject that is none of ours. `token` is what was refused. */
export class SubjectError extends Error {
  readonly code: 'bad-token' | 'bad-agent' | 'bad-partition' | 'bad-subject'
  readonly token: string
  constructor(code: SubjectError['code'], token: string, message: string) {
    super(message)
    this.name = 'SubjectError'
    this.code = code
    this.token = token
  }
}

const TOKEN = /^[A-Za-z0-9_-]{1,64}$/
const AGENT_ID = /^[a-z0-9][a-z0-9-]{0,63}$/

export const isToken = (text: string): boolean => TOKEN.test(text)
export const isAgentId = (text: string): boolean => AGENT_ID.test(text)

export type Stream = 'samples' | 'backlog'

/** Where a batch travels, taken apart. */
export type BatchSubject = {
  readonly stream: Stream
  readonly partition: number
  readonly site: string
  readonly agent: string
}

/** @example samplesSubject({ site: 'lab', agent: 'web-1' }) // 'helio.v1.samples.40.lab.web-1' */
export const samplesSubject = (to: { readonly site: string; readonly agent: string }): string =>
  batchSubject('samples', to.site, to.agent)

export const backlogSubject = (to: { readonly site: string; readonly agent: string }): string =>
  batchSubject('backlog', to.site, to.agent)

export const ackSubject = (agent: string): string => `${SUBJECT_PREFIX}.ack.${checkAgentId(agent)}`
export const cursorSubject = (agent: string): string => `${SUBJECT_PREFIX}.cursor.${checkAgentId(agent)}`

/** Without a verb: the pattern an agent subscribes to. */
export const controlSubject = (agent: string, verb?: string): string =>
  `${SUBJECT_PREFIX}.control.${checkAgentId(agent)}.${verb === undefined ? '>' : checkToken(verb)}`

/** With no tokens: the pattern of all queries; likewise for alerts and live samples. */
export const querySubject = (...tokens: readonly string[]): string => openSubject('query', tokens)
export const alertsSubject = (...tokens: readonly string[]): string => openSubject('alerts', tokens)
export const liveSubject = (...tokens: readonly string[]): string => openSubject('live', tokens)

/** Pattern of one stream: of one partition when given, else of all. */
export function streamPattern(stream: Stream, partition?: number): string {
  if (partition === undefined) return `${SUBJECT_PREFIX}.${stream}.>`
  return `${SUBJECT_PREFIX}.${stream}.${checkPartition(partition)}.>`
}

/** Pattern of every agent's cursor requests: what a hub subscribes to. */
export const CURSOR_PATTERN = `${SUBJECT_PREFIX}.cursor.*`

/**
 * Takes a batch's subject apart, and checks that the partition is the agent's own.
 * @throws SubjectError `bad-subject` for any other subject, `bad-partition`, `bad-agent`, `bad-token`
 */
export function parseBatchSubject(subject: string): BatchSubject {
  const parts = subject.split('.')
  const [helio, version, stream, partitionText = '', site = '', agent = ''] = parts
  if (parts.length !== 6 || helio !== 'helio' || version !== 'v1' || (stream !== 'samples' && stream !== 'backlog'))
    throw new SubjectError(
      'bad-subject',
      subject,
      `Cannot read subject "${clip(subject)}": expected ${SUBJECT_PREFIX}.samples|backlog.<partition>.<site>.<agent>`,
    )
  checkToken(site)
  checkAgentId(agent)
  const partition = partitionOf(agent)
  if (partitionText !== String(partition))
    throw new SubjectError(
      'bad-partition',
      partitionText,
      `Cannot accept subject "${clip(subject)}": agent "${agent}" belongs to partition ${partition}, got "${clip(partitionText)}"`,
    )
  return { stream, partition, site, agent }
}

/** The agent that a cursor request (`helio.v1.cursor.<agent>`) or acknowledgement subject is about. */
export function parseAgentSubject(subject: string): { readonly kind: 'ack' | 'cursor'; readonly agent: string } {
  const parts = subject.split('.')
  const [helio, version, kind, agent = ''] = parts
  if (parts.length !== 4 || helio !== 'helio' || version !== 'v1' || (kind !== 'ack' && kind !== 'cursor'))
    throw new SubjectError(
      'bad-subject',
      subject,
      `Cannot read subject "${clip(subject)}": expected ${SUBJECT_PREFIX}.ack|cursor.<agent>`,
    )
  return { kind, agent: checkAgentId(agent) }
}

/** The verb and agent of a control message; the verb may have several tokens. */
export function parseControlSubject(subject: string): { readonly agent: string; readonly verb: string } {
  const parts = subject.split('.')
  const [helio, version, kind, agent = '', ...verb] = parts
  if (helio !== 'helio' || version !== 'v1' || kind !== 'control' || verb.length === 0)
    throw new SubjectError(
      'bad-subject',
      subject,
      `Cannot read subject "${clip(subject)}": expected ${SUBJECT_PREFIX}.control.<agent>.<verb>`,
    )
  return { agent: checkAgentId(agent), verb: verb.map(checkToken).join('.') }
}

/**
 * The partition of an agent: 32-bit FNV-1a of the id, folded, mod 64. Part of the wire contract: a change would move
 * agents between the hubs that own them.
 */
export function partitionOf(agentId: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < agentId.length; i++) hash = Math.imul(hash ^ agentId.charCodeAt(i), 0x01000193)
  return ((hash ^ (hash >>> 16)) >>> 0) % PARTITION_COUNT
}

export function checkAgentId(agent: string): string {
  if (AGENT_ID.test(agent)) return agent
  throw new SubjectError(
    'bad-agent',
    agent,
    `Cannot use agent id "${clip(agent)}": must match ${AGENT_ID.source}; set an id of lower-case letters, digits and "-"`,
  )
}

export function checkToken(token: string): string {
  if (TOKEN.test(token)) return token
  throw new SubjectError(
    'bad-token',
    token,
    `Cannot use "${clip(token)}" in a subject: must match ${TOKEN.source}; use letters, digits, "_" and "-"`,
  )
}

function checkPartition(partition: number): number {
  if (Number.isInteger(partition) && partition >= 0 && partition < PARTITION_COUNT) return partition
  throw new SubjectError(
    'bad-partition',
    String(partition),
    `Cannot use partition ${partition}: must be an integer from 0 to ${PARTITION_COUNT - 1}`,
  )
}

const batchSubject = (stream: Stream, site: string, agent: string): string =>
  `${SUBJECT_PREFIX}.${stream}.${partitionOf(checkAgentId(agent))}.${checkToken(site)}.${agent}`

const openSubject = (kind: string, tokens: readonly string[]): string =>
  `${SUBJECT_PREFIX}.${kind}.${tokens.length === 0 ? '>' : tokens.map(checkToken).join('.')}`

/** Errors quote what they refuse, but never a megabyte of it. */
const clip = (text: string): string => (text.length > 120 ? `${text.slice(0, 120)}…` : text)
