/**
 * What the records of the log say, applied again in their order: by the engine when it starts, and by whoever reads the
 * log beside it (log-view.ts).
 */
import type { Compressor } from '../../protocol/batch/mod.ts'
import type { Labels } from '../../protocol/labels/mod.ts'
import type { AgentSave } from './agent-state.ts'
import type { BatchIntake } from './batches.ts'
import type { IngestHead } from './head.ts'
import type { LocalIntake, SourceSave } from './local.ts'
import {
  decodeLocal,
  decodeRules,
  fromCbor,
  RECEIVED_PREFIX_BYTES,
  RecordType,
  readReceived,
  readWrite,
} from './records.ts'
import type { RemoteWriteIntake } from './remote-write.ts'
import type { SeriesRefusals } from './series-refusals.ts'
import type { StartZeros } from './start-zeros.ts'
import { REMOTE_WRITE_1 } from './write-answer.ts'

const MAX_INFLATED_LOCAL_BYTES = 1 << 30

export type LogApplierOptions = {
  readonly head: Pick<IngestHead, 'hasLimits'>
  readonly batches: BatchIntake
  readonly local: LocalIntake
  readonly remote: RemoteWriteIntake
  readonly refusals: SeriesRefusals
  readonly zeros: StartZeros
  readonly compressor: Compressor
  /** Of a record that cannot be applied. */
  readonly onLost: (record: string, why: string) => void
}

export class LogApplier {
  readonly #options: LogApplierOptions

  constructor(options: LogApplierOptions) {
    this.#options = options
  }

  /** All but pieces of the head. @throws Error for a record that is none of ours */
  apply(type: number, payload: Uint8Array): void {
    const { head, batches, local, remote, refusals, zeros, onLost } = this.#options
    switch (type) {
      case RecordType.refused:
        refusals.read(payload)
        break
      case RecordType.zeros:
        zeros.read(payload)
        break
      case RecordType.batch:
        refusals.replay(payload)
        zeros.replay(payload)
        batches.replay(payload)
        break
      case RecordType.remoteWrite:
        remote.replay(payload.slice(RECEIVED_PREFIX_BYTES), REMOTE_WRITE_1, readReceived(payload))
        break
      case RecordType.write: {
        const { kind, body } = readWrite(payload)
        remote.replay(body, kind, readReceived(payload))
        break
      }
      case RecordType.accepted: {
        const { kind, body } = readWrite(payload)
        zeros.replay(payload)
        remote.replayAccepted(body, kind, readReceived(payload))
        break
      }
      case RecordType.definitions:
      case RecordType.rows: {
        const lost = remote.replayRows(type, payload)
        if (lost > 0) onLost('rows', `what defines the series of ${lost} samples is missing`)
        break
      }
      case RecordType.identity: {
        const { agent, labels } = fromCbor<{ agent: string; labels: Labels }>(payload)
        batches.replayIdentity(agent, labels)
        break
      }
      case RecordType.local:
        refusals.replay(payload)
        zeros.replay(payload)
        if (!local.apply(decodeLocal(this.#inflate(payload)))) onLost('local', 'its definitions are missing')
        break
      case RecordType.rules:
        refusals.replay(payload)
        local.applyRules(decodeRules(this.#inflate(payload)))
        break
      case RecordType.agent:
        // Series of its keyframes that the snapshot lacks were refused; those that it has meet no limit.
        head.hasLimits = true
        try {
          batches.restore(fromCbor<AgentSave>(payload))
        } finally {
          head.hasLimits = false
        }
        break
      case RecordType.source:
        local.restore(fromCbor<SourceSave>(payload))
        break
      default:
        onLost(String(type), 'this version does not know the kind')
    }
  }

  #inflate(payload: Uint8Array): Uint8Array {
    return this.#options.compressor.decompress(payload, MAX_INFLATED_LOCAL_BYTES)
  }
}
