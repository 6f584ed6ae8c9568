/** What an integration is: something that tells one receiver of a group's alerts. */
import type { Labels } from '../../../protocol/labels/mod.ts'
import type { Alert } from '../alert.ts'
import type { NotificationReason } from '../nflog.ts'
import type { TemplateData } from '../template-data.ts'

export type Notification = {
  readonly receiver: string
  readonly reason: NotificationReason
  readonly groupKey: string
  readonly groupLabels: Labels
  readonly routeLabels: Readonly<Record<string, string>>
  readonly alerts: readonly Alert[]
  readonly nowMs: number
  readonly externalUrl: string
}

export type SendResult = { readonly ok: boolean; readonly retry: boolean; readonly problem: string }

export const DELIVERED: SendResult = { ok: true, retry: false, problem: '' }

/**
 * Templates expanded with the notification's data, or others.
 * @throws TemplateError
 */
export type Expand = (text: string, options?: { readonly html?: boolean; readonly data?: TemplateData }) => string

export type Telling = { readonly notification: Notification; readonly data: TemplateData; readonly expand: Expand }

export interface Sender {
  /** Secrets are in no message. Never rejects. */
  send(telling: Telling, signal: AbortSignal): Promise<SendResult>
}
