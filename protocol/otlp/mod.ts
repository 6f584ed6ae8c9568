/**
 * OTLP metrics, protobuf and JSON, into the columns that every way in decodes to.
 * Semantics: opentelemetry-proto metrics/v1; Prometheus storage/remote/otlptranslator (v3.14).
 */
import type { WriteColumns } from '../remote-write/mod.ts'
import { convertMetrics } from './convert.ts'
import type { DeltaToCumulative } from './delta-to-cumulative.ts'
import { readOtlpJson } from './read-json.ts'
import { readOtlpProto } from './read-proto.ts'
import { OTLP_DEFAULTS, type OtlpSettings } from './settings.ts'
import { writeOtlpJson } from './write-json.ts'

export { DeltaToCumulative } from './delta-to-cumulative.ts'
export { metricName, type NameStrategy } from './names.ts'
export { OTLP_DEFAULTS, type OtlpSettings } from './settings.ts'

/** @param bytes inflated. @throws RemoteWriteError bad-protobuf, bad-json */
export function decodeOtlp(bytes: Uint8Array, isJson: boolean, settings: OtlpSettings = OTLP_DEFAULTS): WriteColumns {
  return convertMetrics(isJson ? readOtlpJson(bytes) : readOtlpProto(bytes), settings)
}

/**
 * A request without deltas, in JSON: what stands in the log must say the same whenever it is read. Null: it has none.
 * @param bytes inflated. @throws RemoteWriteError bad-protobuf, bad-json
 */
export function withoutDeltas(
  bytes: Uint8Array,
  isJson: boolean,
  converter: DeltaToCumulative,
  nowMs: number,
): Uint8Array | null {
  const resources = isJson ? readOtlpJson(bytes) : readOtlpProto(bytes)
  const converted = converter.convert(resources, nowMs)
  return converted === resources ? null : writeOtlpJson(converted)
}
