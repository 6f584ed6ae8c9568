/**
 * What a reader asks for: `prometheus.ReadRequest`.
 * Semantics: Prometheus prompb/remote.proto, storage/remote/codec.go, DecodeReadRequest and NegotiateResponseType (v3.5).
 */
import type { Matcher } from '../matchers/mod.ts'
import { ProtoReader, RemoteWriteError, snappyDecompress, WireType } from '../remote-write/mod.ts'

export type ReadQuery = {
  /** Milliseconds, both included. */
  readonly startMs: number
  readonly endMs: number
  readonly matchers: readonly Matcher[]
}

export const RESPONSE_TYPES = ['SAMPLES', 'STREAMED_XOR_CHUNKS'] as const
export type ResponseType = (typeof RESPONSE_TYPES)[number]

export type ReadRequest = {
  readonly queries: readonly ReadQuery[]
  /** Numbers of response types, in the order of the reader's liking; none: samples. */
  readonly accepted: readonly number[]
}

/** A request that cannot be read: HTTP 400. */
export class RemoteReadError extends Error {
  readonly code = 'bad-read-request'
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RemoteReadError'
  }
}

const MAX_INFLATED_BYTES = 32 << 20
const MAX_QUERIES = 1000
const MAX_MATCHERS = 1000
const MATCH_OPS = ['=', '!=', '=~', '!~'] as const

const bytesTag = (field: number): number => (field << 3) | WireType.bytes
const varintTag = (field: number): number => field << 3
const Tag = { query: bytesTag(1), accepted: bytesTag(2), acceptedOne: varintTag(2) } as const
const QueryTag = { start: varintTag(1), end: varintTag(2), matcher: bytesTag(3) } as const
const MatcherTag = { type: varintTag(1), name: bytesTag(2), value: bytesTag(3) } as const

/** @param body snappy, as received @throws RemoteReadError */
export function decodeReadRequest(body: Uint8Array): ReadRequest {
  try {
    return readRequest(snappyDecompress(body, MAX_INFLATED_BYTES))
  } catch (error) {
    if (error instanceof RemoteWriteError) throw new RemoteReadError(error.message, { cause: error })
    throw error
  }
}

/** The first that the reader accepts and we have. @throws RemoteReadError */
export function negotiate(accepted: readonly number[]): ResponseType {
  if (accepted.length === 0) return 'SAMPLES'
  for (const type of accepted) {
    const known = RESPONSE_TYPES[type]
    if (known !== undefined) return known
  }
  throw new RemoteReadError(
    `server does not support any of the requested response types: [${accepted.join(' ')}]; supported: ${RESPONSE_TYPES.join(', ')}`,
  )
}

function readRequest(bytes: Uint8Array): ReadRequest {
  const reader = new ProtoReader(bytes)
  const queries: ReadQuery[] = []
  const accepted: number[] = []
  while (reader.at < reader.end) {
    const tag = reader.tag()
    if (tag === Tag.query) {
      if (queries.length >= MAX_QUERIES) throw new RemoteReadError(`more than ${MAX_QUERIES} queries in one request`)
      queries.push(within(reader, () => readQuery(reader)))
    } else if (tag === Tag.accepted)
      within(reader, () => {
        while (reader.at < reader.end && accepted.length < MAX_QUERIES) accepted.push(reader.int64())
        reader.at = reader.end
      })
    else if (tag === Tag.acceptedOne) accepted.push(reader.int64())
    else reader.skip(tag)
  }
  return { queries, accepted }
}

function readQuery(reader: ProtoReader): ReadQuery {
  let startMs = 0
  let endMs = 0
  const matchers: Matcher[] = []
  while (reader.at < reader.end) {
    const tag = reader.tag()
    if (tag === QueryTag.start) startMs = reader.int64()
    else if (tag === QueryTag.end) endMs = reader.int64()
    else if (tag === QueryTag.matcher) {
      if (matchers.length >= MAX_MATCHERS) throw new RemoteReadError(`more than ${MAX_MATCHERS} matchers in one query`)
      matchers.push(within(reader, () => readMatcher(reader)))
    } else reader.skip(tag)
  }
  return { startMs, endMs, matchers }
}

function readMatcher(reader: ProtoReader): Matcher {
  let type = 0
  let name = ''
  let value = ''
  while (reader.at < reader.end) {
    const tag = reader.tag()
    if (tag === MatcherTag.type) type = reader.int64()
    else if (tag === MatcherTag.name) name = readText(reader)
    else if (tag === MatcherTag.value) value = readText(reader)
    else reader.skip(tag)
  }
  const op = MATCH_OPS[type]
  if (op === undefined) throw new RemoteReadError('invalid matcher type')
  return { name, op, value }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function readText(reader: ProtoReader): string {
  const end = reader.lengthEnd()
  const bytes = reader.bytes.subarray(reader.at, end)
  reader.at = end
  try {
    return utf8.decode(bytes)
  } catch (cause) {
    throw new RemoteReadError('proto: a string contains invalid UTF-8', { cause })
  }
}

/** Reads a nested message with the reader's end set to its own. */
function within<T>(reader: ProtoReader, read: () => T): T {
  const outer = reader.end
  const end = reader.lengthEnd()
  reader.end = end
  const value = read()
  reader.at = end
  reader.end = outer
  return value
}
