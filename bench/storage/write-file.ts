/**
 * Remote write requests made once and kept in a file, so that every system is sent the same bytes and none pays for
 * their making: `[length u32][snappy body]…`. Samples are those of simulated hosts (bench/pipeline/host-model.ts), one
 * a series and request, 2,000 in a request as Prometheus sends them, hosts one after the other.
 */
import fs from 'node:fs'
import { snappyCompress } from '../../protocol/remote-write/mod.ts'
import { SimulatedHost } from '../pipeline/host-model.ts'
import { createRandom } from '../pipeline/seeded-random.ts'

const SAMPLES_PER_REQUEST = 2000
export const STEP_MS = 15_000
const JOB = 'storage-bench'
/** One scrape in so many is late by a few ms, as real ones are. */
const LATE_EVERY = 50

export type WriteFileOptions = {
  readonly hosts: number
  readonly seriesPerHost: number
  readonly steps: number
  /** Time of the first step. */
  readonly startMs: number
  readonly seed: number
  /** Steps that a container's devices live; Infinity: the same series throughout. */
  readonly containerLife: number
}

/** What went into the file, for checking what the systems made of it. */
export type Written = {
  readonly file: string
  readonly samples: number
  readonly requests: number
  readonly bodyBytes: number
  /** Request number with which each step begins, and the end. */
  readonly stepRequests: readonly number[]
  /** Time from which all samples are seen back over `spanMs`. */
  readonly endMs: number
  readonly spanMs: number
  /** Samples of this family, over all steps. */
  readonly checked: { readonly name: string; readonly samples: number; readonly sum: number }
}

const CHECKED = 'node_load1'

export function writeRequests(file: string, options: WriteFileOptions): Written {
  const random = createRandom(options.seed)
  const hosts = Array.from({ length: options.hosts }, (_, i) => new HostWriter(i, options, random.below(STEP_MS)))
  const descriptor = fs.openSync(file, 'w')
  const out = new RequestBuffer()
  const stepRequests: number[] = []
  const total = { samples: 0, requests: 0, bodyBytes: 0 }
  const checked = { name: CHECKED, samples: 0, sum: 0 }
  const flush = (): void => {
    if (out.samples === 0) return
    const body = snappyCompress(out.take())
    const length = new Uint8Array(4)
    new DataView(length.buffer).setUint32(0, body.length, true)
    fs.writevSync(descriptor, [length, body])
    total.requests++
    total.bodyBytes += body.length
  }
  try {
    for (let step = 0; step < options.steps; step++) {
      stepRequests.push(total.requests)
      for (const host of hosts) {
        host.host.step()
        const late = random.below(LATE_EVERY) === 0 ? 1 + random.below(20) : 0
        const timestampMs = options.startMs + step * STEP_MS + host.offsetMs + late
        for (const { prefix, value } of host.host.series()) {
          out.add(host.labels(prefix), timestampMs, value)
          total.samples++
          if (prefix.startsWith(CHECKED) && prefix[CHECKED.length] === ' ') {
            checked.samples++
            checked.sum += value
          }
          if (out.samples === SAMPLES_PER_REQUEST) flush()
        }
      }
      // A step's samples are sent before the next one's are made.
      flush()
    }
  } finally {
    fs.closeSync(descriptor)
  }
  stepRequests.push(total.requests)
  const spanMs = (options.steps + 1) * STEP_MS
  return { file, ...total, stepRequests, checked, spanMs, endMs: options.startMs + spanMs }
}

/** The bodies [from, to) of the file, in order. */
export function* readRequests(file: string, from: number, to: number): Generator<Buffer> {
  const descriptor = fs.openSync(file, 'r')
  try {
    const length = Buffer.alloc(4)
    let at = 0
    for (let request = 0; request < to; request++) {
      fs.readSync(descriptor, length, 0, 4, at)
      const bytes = length.readUInt32LE(0)
      if (request >= from) {
        const body = Buffer.alloc(bytes)
        fs.readSync(descriptor, body, 0, bytes, at + 4)
        yield body
      }
      at += 4 + bytes
    }
  } finally {
    fs.closeSync(descriptor)
  }
}

class HostWriter {
  readonly host: SimulatedHost
  readonly offsetMs: number
  readonly #instance: string
  readonly #labels = new Map<string, Buffer>()

  constructor(index: number, { seed, seriesPerHost, containerLife }: WriteFileOptions, offsetMs: number) {
    this.host = new SimulatedHost({
      seed: seed + 1 + index,
      series: seriesPerHost,
      containerLife: Number.isFinite(containerLife) ? containerLife : 2 ** 30,
      gapEvery: 0,
    })
    this.offsetMs = offsetMs
    this.#instance = `host-${String(index).padStart(4, '0')}.example.net:9100`
  }

  /** The label fields of the series, encoded. */
  labels(prefix: string): Buffer {
    let encoded = this.#labels.get(prefix)
    if (encoded === undefined) {
      encoded = encodeLabels({ ...parsePrefix(prefix), instance: this.#instance, job: JOB })
      this.#labels.set(prefix, encoded)
    }
    return encoded
  }
}

function parsePrefix(prefix: string): Record<string, string> {
  const brace = prefix.indexOf('{')
  const labels: Record<string, string> = { __name__: brace < 0 ? prefix.trimEnd() : prefix.slice(0, brace) }
  for (const [, name, value] of prefix.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)) labels[name!] = value!
  return labels
}

function encodeLabels(labels: Readonly<Record<string, string>>): Buffer {
  const parts: Buffer[] = []
  for (const name of Object.keys(labels).sort()) {
    const inner = Buffer.concat([field(0x0a, Buffer.from(name)), field(0x12, Buffer.from(labels[name]!))])
    parts.push(field(0x0a, inner))
  }
  return Buffer.concat(parts)
}

function field(tag: number, bytes: Buffer): Buffer {
  if (bytes.length >= 1 << 14) throw new Error('BUG: a label of the bench is too long for its encoder')
  const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7]
  return Buffer.concat([Buffer.from([tag, ...length]), bytes])
}

/** A `prometheus.WriteRequest` under construction. */
class RequestBuffer {
  samples = 0
  #buffer = Buffer.alloc(1 << 20)
  #at = 0

  add(labels: Buffer, timestampMs: number, value: number): void {
    if (this.#at + labels.length + 64 > this.#buffer.length)
      this.#buffer = Buffer.concat([this.#buffer], this.#buffer.length * 2)
    const buffer = this.#buffer
    const series = labels.length + 18
    let at = this.#at
    buffer[at++] = 0x0a
    at = varint(buffer, at, series)
    at += labels.copy(buffer, at)
    buffer[at++] = 0x12
    buffer[at++] = 16
    buffer[at++] = 0x09
    at = buffer.writeDoubleLE(value, at)
    buffer[at++] = 0x10
    at = varint(buffer, at, timestampMs)
    if (at - this.#at !== series + (series < 128 ? 2 : 3)) throw new Error('BUG: a timestamp does not take six bytes')
    this.#at = at
    this.samples++
  }

  take(): Buffer {
    const bytes = this.#buffer.subarray(0, this.#at)
    this.#at = 0
    this.samples = 0
    return bytes
  }
}

function varint(buffer: Buffer, from: number, value: number): number {
  let at = from
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) buffer[at++] = (rest % 128) | 128
  buffer[at++] = rest
  return at
}
