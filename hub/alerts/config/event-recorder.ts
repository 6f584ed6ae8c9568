/**
 * `event_recorder:`, which is checked and has no effect: nothing here writes a record of what became of each alert.
 * Semantics: Alertmanager eventrecorder/config.go, webhook.go (v0.34).
 */
import { boolean, type Decoder, duration, integer, list, object, string } from '../../../protocol/config/mod.ts'
import { anything, has, httpConfig, secretUrl } from './fields.ts'

const webhook = object(
  'eventrecorder.plain',
  {
    name: string,
    url: secretUrl,
    http_config: httpConfig,
    timeout: duration,
    workers: integer,
    max_retries: integer,
    retry_backoff: duration,
    batch: boolean,
    batch_max_events: integer,
    batch_max_bytes: integer,
    batch_flush_interval: duration,
  },
  (raw, at) => {
    if (!has(raw.url)) at.fail('event_recorder webhook output requires a url')
    if (raw.url?.reveal() === '<secret>') at.fail('event_recorder webhook output requires an absolute http(s) url')
    const limits = [raw.batch_max_events ?? 0, raw.batch_max_bytes ?? 0, raw.batch_flush_interval ?? 0]
    if (limits.some((limit) => limit < 0)) at.fail('event_recorder webhook batch settings cannot be negative')
    if (!raw.batch && limits.some((limit) => limit !== 0))
      at.fail('event_recorder webhook batch settings require batch: true')
    return null
  },
)

export const eventRecorder: Decoder<unknown> = object(
  'eventrecorder.plain',
  {
    file_outputs: list(anything),
    webhook_outputs: list(webhook),
    kafka_outputs: list(anything),
    stdout_outputs: list(anything),
  },
  () => null,
)
