/** Integrations: one file a service, each turning a notification into its message. */
import type { Integration, ReceiverKind } from '../config/mod.ts'
import type { Sender } from './contract.ts'
import { discord } from './discord.ts'
import { email } from './email.ts'
import type { SendEnv } from './http.ts'
import { incidentio } from './incidentio.ts'
import { jira } from './jira.ts'
import { mattermost } from './mattermost.ts'
import { msteams } from './msteams.ts'
import { msteamsv2 } from './msteamsv2.ts'
import { opsgenie } from './opsgenie.ts'
import { pagerduty } from './pagerduty.ts'
import { pushover } from './pushover.ts'
import { rocketchat } from './rocketchat.ts'
import { slack } from './slack.ts'
import { sns } from './sns.ts'
import { telegram } from './telegram.ts'
import { victorops } from './victorops.ts'
import { webex } from './webex.ts'
import { webhook } from './webhook.ts'
import { wechat } from './wechat.ts'

export type { Expand, Notification, Sender, SendResult, Telling } from './contract.ts'
export { dataOf } from './data.ts'
export type { SendEnv } from './http.ts'

const SENDERS: Readonly<Record<ReceiverKind, (integration: Integration, env: SendEnv) => Sender>> = {
  discord,
  email,
  incidentio,
  jira,
  mattermost,
  msteams,
  msteamsv2,
  opsgenie,
  pagerduty,
  pushover,
  rocketchat,
  slack,
  sns,
  telegram,
  victorops,
  webex,
  webhook,
  wechat,
}

/** A text that cannot be expanded, or a secret whose file is not there, is a failure as any other; the next flush tries again. */
export function createSender(integration: Integration, env: SendEnv): Sender {
  const sender = SENDERS[integration.kind](integration, env)
  return {
    send: async (telling, signal) => {
      try {
        return await sender.send(telling, signal)
      } catch (error) {
        return { ok: false, retry: false, problem: (error as Error).message }
      }
    },
  }
}
