/** What the main thread and the ingest thread say to each other: plain data, bytes transferred where they can be. */
import type { Ack } from '../../protocol/batch/types.ts'
import type { WriteKind } from '../../protocol/remote-write/mod.ts'
import type { ReaderShare } from '../tsdb/contract.ts'
import type { ReplayReport } from '../wal/mod.ts'
import type { KnownAgent } from './batches.ts'
import type { LocalRecord, RuleResults } from './records.ts'

export type ToIngest =
  | { readonly kind: 'batch'; readonly id: number; readonly subject: string; readonly bytes: Uint8Array }
  | { readonly kind: 'local'; readonly id: number; readonly record: LocalRecord }
  | { readonly kind: 'rules'; readonly id: number; readonly results: RuleResults }
  | { readonly kind: 'remote-write'; readonly id: number; readonly write: WriteKind; readonly body: Uint8Array }
  | { readonly kind: 'agents'; readonly agents: readonly KnownAgent[] }
  | { readonly kind: 'cursor'; readonly id: number; readonly agent: string }
  | {
      readonly kind: 'ledger'
      readonly id: number
      readonly agent: string
      readonly fromMs: number
      readonly toMs: number
    }
  | { readonly kind: 'status'; readonly id: number }
  | { readonly kind: 'checkpoint'; readonly id: number }
  | { readonly kind: 'trim'; readonly minTimeMs: number }
  | { readonly kind: 'close-before'; readonly id: number; readonly maxTimeMs: number }
  | { readonly kind: 'evict'; readonly id: number }
  | { readonly kind: 'close'; readonly id: number }

/** An error as data: classes do not cross threads. */
export type SentError = { readonly code: string; readonly message: string; readonly path?: string }

export type FromIngest =
  | { readonly kind: 'ready'; readonly share: ReaderShare; readonly replay: ReplayReport }
  | { readonly kind: 'share'; readonly share: ReaderShare }
  /** Series of this source were removed: its dictionary must begin anew. */
  | { readonly kind: 'renew'; readonly source: string }
  /** The head is about to be short of memory: blocks should be cut. Once until it has been relieved. */
  | { readonly kind: 'memory-high' }
  /** By id of the request; of batches and writes only after they are durable. */
  | { readonly kind: 'answers'; readonly answers: readonly (readonly [id: number, value: unknown])[] }
  | { readonly kind: 'failed'; readonly id: number; readonly error: SentError }
  /** Nothing more is acknowledged; the process must end. */
  | { readonly kind: 'fatal'; readonly error: SentError }

/** The ingest thread's end of the channel. */
export interface IngestPort {
  post(message: FromIngest): void
  onMessage(fn: (message: ToIngest) => void): void
}

/** What to publish; `silent`: nothing, and the batch need not come again; null: nothing, and it must. */
export type BatchAnswer = Ack | 'silent' | null

export function sentError(error: unknown): SentError {
  if (!(error instanceof Error)) return { code: 'INTERNAL', message: String(error) }
  const { code, path } = error as Error & { code?: unknown; path?: unknown }
  return {
    code: typeof code === 'string' ? code : 'INTERNAL',
    message: error.message,
    ...(typeof path === 'string' ? { path } : {}),
  }
}
