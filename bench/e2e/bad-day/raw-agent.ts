/** An agent with bare hands: it seals batches, changes their bytes, and sends them wherever it likes. */
import { runtimeSigner } from '../../../agent/env/ed25519.ts'
import { connectNats, type NatsBus } from '../../../agent/env/nats-bus.ts'
import { runtimeSha256 } from '../../../agent/env/sha256.ts'
import { runtimeZstd } from '../../../agent/env/zstd.ts'
import { type Ack, BatchEncoder, decodeAck, type SealedBatch } from '../../../protocol/batch/mod.ts'
import { inboxPrefix, type Signer } from '../../../protocol/identity/mod.ts'
import { labelsFrom } from '../../../protocol/labels/mod.ts'
import { ackSubject, samplesSubject } from '../../../protocol/subjects/mod.ts'
import { until } from '../world.ts'

const RESEND_MS = 1000

export class RawAgent {
  readonly agent: string
  readonly signer: Signer
  readonly bus: NatsBus
  readonly acks: Ack[] = []
  /** Values of `raw_value`, 0 to here, that were sealed. */
  sealed = 0
  /** Messages sent on its own subject or any other. */
  published = 0
  readonly #encoder: BatchEncoder

  constructor({ agent, seed, busUrl }: { readonly agent: string; readonly seed: string; readonly busUrl: string }) {
    this.agent = agent
    this.signer = runtimeSigner(seed)
    this.#encoder = encoderOf(agent, this.signer)
    this.bus = connectNats({
      servers: [busUrl],
      name: agent,
      nkeySeed: seed,
      inboxPrefix: inboxPrefix(agent),
      reconnectMaxMs: 500,
    })
    this.bus.subscribe(ackSubject(agent), ({ payload }) => void this.acks.push(decodeAck(payload)))
  }

  get subject(): string {
    return samplesSubject({ site: 'main', agent: this.agent })
  }

  /** A batch with one sample of `raw_value`, now unless said otherwise. */
  seal(timestampMs = Date.now()): SealedBatch {
    return sealOne(this.#encoder, timestampMs, this.sealed++)
  }

  /** One that is signed by this agent, is the first of an epoch of its own, and names any agent. */
  sealAs(agent: string, timestampMs = Date.now()): SealedBatch {
    return sealOne(encoderOf(agent, this.signer), timestampMs, -1)
  }

  /** The bytes with another body, signed anew: what only the owner of the key can send. */
  resign(unsigned: Uint8Array): Uint8Array {
    const out = new Uint8Array(unsigned.length + 64)
    out.set(unsigned)
    out.set(this.signer.sign(unsigned), unsigned.length)
    return out
  }

  publish(bytes: Uint8Array, subject = this.subject): void {
    this.published++
    this.bus.publish(subject, bytes.slice())
  }

  /** Sends a good batch, once a second, until the hub has stored it. */
  async deliver(batch: SealedBatch): Promise<void> {
    const { epoch, sequence } = batch.header
    let sentMs = Number.NEGATIVE_INFINITY
    await until(`batch ${sequence} of ${this.agent} is stored`, () => {
      if (performance.now() - sentMs > RESEND_MS) {
        this.publish(batch.bytes)
        sentMs = performance.now()
      }
      return this.acks.some(
        (ack) =>
          ack.kind === 'stored' &&
          ack.epoch === epoch &&
          ack.sequences.some(([first, last]) => first <= sequence && sequence <= last),
      )
    })
  }

  /** Until each of its good batches is answered, those too that were sent again because the first answer took its time. */
  answered(): Promise<unknown> {
    return until(`${this.agent} has an answer to each message`, () => this.acks.length === this.published)
  }

  connected(): Promise<unknown> {
    return until(`${this.agent} is connected`, () => this.bus.status === 'connected', {
      explain: () => String(this.bus.lastError),
    })
  }
}

function encoderOf(agent: string, signer: Signer): BatchEncoder {
  return new BatchEncoder({ agent, epoch: Date.now(), signer, hasher: runtimeSha256, compressor: runtimeZstd })
}

function sealOne(encoder: BatchEncoder, timestampMs: number, value: number): SealedBatch {
  const id = encoder.define(labelsFrom({ __name__: 'raw_value' }), null)
  encoder.add({
    target: 'raw',
    slotMs: timestampMs,
    intervalMs: 1000,
    timestampMs,
    ids: Uint32Array.of(id),
    values: Float64Array.of(value),
    timestamps: null,
    startTimestamps: null,
    histograms: null,
    exemplars: null,
  })
  return encoder.seal()!
}
