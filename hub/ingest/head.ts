/** The head as ingest needs it: one writer, a share for readers, and its snapshot for checkpoints. */
import type { Logger } from '../../protocol/env/mod.ts'
import type { Appender, ReaderShare } from '../tsdb/contract.ts'

export interface IngestHead extends Appender {
  share(): ReaderShare
  /** Hands over the snapshot piece by piece; each is borrowed until `write` returns. */
  serialize(write: (piece: Uint8Array) => void): void
}

export type HeadFactory = {
  create(): IngestHead
  /** Refs stay what they were when the snapshot was taken. @throws for a snapshot that it cannot use */
  restore(pieces: readonly Uint8Array[]): IngestHead
}

/** A head that exists once replay knows whether the log begins with a snapshot. */
export type LateHead = {
  readonly head: IngestHead
  /** Takes the pieces of the snapshot in order; null says that there are no more. */
  readonly settle: (piece: Uint8Array | null) => void
}

export function lateHead(heads: HeadFactory, log: Logger): LateHead {
  const pieces: Uint8Array[] = []
  let inner: IngestHead | null = null
  const it = (): IngestHead => inner ?? bug()
  const head: IngestHead = {
    series: (labels) => it().series(labels),
    setMetadata: (family, metadata) => it().setMetadata(family, metadata),
    appendColumn: (timestampMs, refs, values, n) => it().appendColumn(timestampMs, refs, values, n),
    appendFloat: (ref, timestampMs, values, at, startMs) => it().appendFloat(ref, timestampMs, values, at, startMs),
    appendHistogram: (ref, timestampMs, histogram, startMs) =>
      it().appendHistogram(ref, timestampMs, histogram, startMs),
    appendExemplar: (ref, exemplar) => it().appendExemplar(ref, exemplar),
    publish: () => it().publish(),
    share: () => it().share(),
    serialize: (write) => {
      // Numbered, and the last one marked, so that a damaged checkpoint cannot pass for a smaller head.
      let index = 0
      it().serialize((piece) => write(framed(index++, 0, piece)))
      write(framed(index, 1, new Uint8Array(0)))
    },
  }
  const settle = (piece: Uint8Array | null): void => {
    if (piece) {
      if (!inner) pieces.push(piece)
      return
    }
    if (inner) return
    inner = pieces.length === 0 ? heads.create() : restore(heads, pieces, log)
    pieces.length = 0
  }
  return { head, settle }
}

const PIECE_HEADER_BYTES = 8

function framed(index: number, isLast: number, piece: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(PIECE_HEADER_BYTES + piece.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, index, true)
  view.setUint32(4, isLast, true)
  bytes.set(piece, PIECE_HEADER_BYTES)
  return bytes
}

function restore(heads: HeadFactory, pieces: readonly Uint8Array[], log: Logger): IngestHead {
  try {
    const whole = pieces.every((piece, i) => {
      const view = new DataView(piece.buffer, piece.byteOffset)
      return view.getUint32(0, true) === i && view.getUint32(4, true) === (i === pieces.length - 1 ? 1 : 0)
    })
    if (!whole) throw new Error('a piece of the snapshot is missing')
    return heads.restore(pieces.slice(0, -1).map((piece) => piece.subarray(PIECE_HEADER_BYTES)))
  } catch (error) {
    log.error('Cannot restore the head from its checkpoint; only what the log holds since is served', {
      error: error instanceof Error ? error.message : String(error),
    })
    return heads.create()
  }
}

function bug(): never {
  throw new Error('BUG: the head is used before replay has settled it')
}
