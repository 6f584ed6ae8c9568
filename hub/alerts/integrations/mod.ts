/** Integrations: one file a service, each turning a notification into its message. */
import type { Integration, ReceiverKind } from '../config/mod.ts'
import type { Sender } from './contract.ts'
import { email } from './email.ts'
import type { SendEnv } from './http.ts'
import { opsgenie } from './opsgenie.ts'
import { pagerduty } from './pagerduty.ts'
import { slack } from './slack.ts'
import { webhook } from './webhook.ts'

export type { Expand, Notification, Sender, SendResult, Telling } from './contract.ts'
export { dataOf } from './data.ts'
export { webhookBody } from './webhook.ts'

type Create = (integration: Integration, env: SendEnv) => Sender

const SENDERS: Partial<Readonly<Record<ReceiverKind, Create>>> = { email, opsgenie, pagerduty, slack, webhook }

export const canSend = (kind: ReceiverKind): boolean => SENDERS[kind] !== undefined

export function createSender(integration: Integration, env: SendEnv): Sender {
  const create = SENDERS[integration.kind]
  if (create) return create(integration, env)
  const problem = `${integration.kind} is not built yet`
  return { send: async () => ({ ok: false, retry: false, problem }) }
}
