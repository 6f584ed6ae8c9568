/** A notification as JSON, version 4. Semantics: Alertmanager notify/webhook/webhook.go, template/template.go Data. */

import type { HttpClientConfig, Secret } from '../../protocol/config/mod.ts'
import type { Net } from '../../protocol/env/mod.ts'
import { type Labels, labelsToObject, labelValue } from '../../protocol/labels/mod.ts'
import type { Receiver } from './config/mod.ts'

export type WebhookConfig = {
  readonly url: Secret
  readonly sendResolved: boolean
  /** 0 = no limit. */
  readonly maxAlerts: number
  readonly timeoutMs: number
  readonly http: HttpClientConfig | null
}

const TIMEOUT_MS = 10_000

export function webhooksOf({ integrations }: Receiver): WebhookConfig[] {
  return integrations
    .filter(({ kind }) => kind === 'webhook')
    .map(({ sendResolved, http, values }) => ({
      url: values['url'] as Secret,
      sendResolved,
      maxAlerts: (values['max_alerts'] as number | undefined) ?? 0,
      timeoutMs: (values['timeout'] as number | undefined) || TIMEOUT_MS,
      http,
    }))
}

export type Alert = {
  readonly labels: Labels
  readonly annotations: Readonly<Record<string, string>>
  readonly startsAtMs: number
  /** In the future while the alert fires. */
  readonly endsAtMs: number
  readonly generatorUrl: string
}

/** Why a group is notified about now. */
export type NotificationReason =
  | 'first notification'
  | 'new alerts added'
  | 'some alerts resolved'
  | 'all alerts resolved'
  | 'repeat interval elapsed'

export type Notification = {
  readonly receiver: string
  readonly reason: NotificationReason
  readonly groupKey: string
  readonly groupLabels: Labels
  readonly alerts: readonly Alert[]
  readonly nowMs: number
  readonly externalUrl: string
}

export const isResolved = (alert: Alert, nowMs: number): boolean => alert.endsAtMs <= nowMs

export function webhookBody(notification: Notification, maxAlerts: number): string {
  const { alerts, nowMs } = notification
  const shown = maxAlerts > 0 ? alerts.slice(0, maxAlerts) : alerts
  const firing = alerts.some((alert) => !isResolved(alert, nowMs))
  return JSON.stringify({
    receiver: notification.receiver,
    status: firing ? 'firing' : 'resolved',
    alerts: shown.map((alert) => ({
      status: isResolved(alert, nowMs) ? 'resolved' : 'firing',
      labels: labelsToObject(alert.labels),
      annotations: alert.annotations,
      startsAt: new Date(alert.startsAtMs).toISOString(),
      endsAt: isResolved(alert, nowMs) ? new Date(alert.endsAtMs).toISOString() : '0001-01-01T00:00:00Z',
      generatorURL: alert.generatorUrl,
      fingerprint: fingerprint(alert.labels),
    })),
    groupLabels: labelsToObject(notification.groupLabels),
    commonLabels: common(alerts.map(({ labels }) => labelsToObject(labels))),
    commonAnnotations: common(alerts.map(({ annotations }) => annotations)),
    externalURL: notification.externalUrl,
    version: '4',
    groupKey: notification.groupKey,
    truncatedAlerts: alerts.length - shown.length,
    notification_reason: notification.reason,
  })
}

/** FNV-1a over names and values, as prometheus/common LabelSet.Fingerprint. */
export function fingerprint(labels: Labels): string {
  let hash = 0xcbf29ce484222325n
  const add = (byte: number): void => {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  }
  const encoder = new TextEncoder()
  for (const part of labels) {
    for (const byte of encoder.encode(part)) add(byte)
    add(0xff)
  }
  return hash.toString(16).padStart(16, '0')
}

function common(sets: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const out: Record<string, string> = { ...sets[0] }
  for (const set of sets) for (const name of Object.keys(out)) if (set[name] !== out[name]) delete out[name]
  return out
}

export type SendResult = { readonly ok: boolean; readonly retry: boolean; readonly problem: string }

/** 2xx is delivered; 5xx, 429 and network errors are tried again, other answers are final. The URL is a secret: it is in no message. */
export async function sendWebhook(
  net: Net,
  config: WebhookConfig,
  body: string,
  signal: AbortSignal,
): Promise<SendResult> {
  const headers: Record<string, string> = { 'content-type': 'application/json', 'user-agent': 'Heliograph' }
  const { basicAuth, authorization } = config.http ?? {}
  if (basicAuth) headers['authorization'] = `Basic ${btoa(`${basicAuth.username}:${basicAuth.password.reveal()}`)}`
  else if (authorization) headers['authorization'] = `${authorization.type} ${authorization.credentials.reveal()}`
  try {
    const request = {
      method: 'POST',
      url: config.url.reveal(),
      headers,
      body: new TextEncoder().encode(body),
      timeoutMs: config.timeoutMs,
      maxBodyBytes: 1 << 20,
      signal,
    }
    const { status } = await net.request(request)
    const ok = status >= 200 && status < 300
    return {
      ok,
      retry: !ok && (status >= 500 || status === 429),
      problem: ok ? '' : `unexpected status code ${status}`,
    }
  } catch (error) {
    const problem = (error instanceof Error ? error.message : String(error)).replaceAll(
      config.url.reveal(),
      '<redacted>',
    )
    return { ok: false, retry: true, problem }
  }
}

export const groupLabelsOf = (labels: Labels, groupBy: readonly string[] | null): Record<string, string> => {
  if (groupBy === null) return labelsToObject(labels)
  return Object.fromEntries(
    groupBy.map((name) => [name, labelValue(labels, name)] as const).filter(([, value]) => value !== ''),
  )
}
