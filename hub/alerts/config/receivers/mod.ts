/**
 * Receivers: one file a kind with the keys it has, what it must have, and what it takes from `global`.
 * Semantics: Alertmanager config/config.go, notify/NAME/config.go (v0.34), with its messages.
 */
import {
  boolean,
  type Cursor,
  type Decoder,
  type HttpClientConfig,
  list,
  object,
  record,
  string,
} from '../../../../protocol/config/mod.ts'
import { httpConfig } from '../fields.ts'
import type { GlobalConfig } from '../global.ts'
import { discord } from './discord.ts'
import { email } from './email.ts'
import { incidentio } from './incidentio.ts'
import { jira } from './jira.ts'
import { mattermost } from './mattermost.ts'
import { opsgenie } from './opsgenie.ts'
import { pagerduty } from './pagerduty.ts'
import { pushover } from './pushover.ts'
import { rocketchat } from './rocketchat.ts'
import { slack } from './slack.ts'
import { sns } from './sns.ts'
import type { Spec, Values } from './spec.ts'
import { msteams, msteamsv2 } from './teams.ts'
import { telegram } from './telegram.ts'
import { victorops } from './victorops.ts'
import { webex } from './webex.ts'
import { webhook } from './webhook.ts'
import { wechat } from './wechat.ts'

export type { JiraField, JiraLabels } from './jira.ts'
export type { Responder } from './opsgenie.ts'
export type { Values } from './spec.ts'

/** In the order in which upstream completes them, so that of several problems the same one is told. */
const SPECS = {
  webhook,
  email,
  slack,
  pushover,
  pagerduty,
  incidentio,
  opsgenie,
  wechat,
  victorops,
  sns,
  telegram,
  discord,
  webex,
  msteams,
  msteamsv2,
  jira,
  rocketchat,
  mattermost,
} as const satisfies Readonly<Record<string, Spec>>
export type ReceiverKind = keyof typeof SPECS
export const RECEIVER_KINDS = Object.keys(SPECS) as readonly ReceiverKind[]

/** One integration of a receiver: its keys as written, with defaults and what it takes from `global`. */
export type Integration = {
  readonly kind: ReceiverKind
  readonly sendResolved: boolean
  readonly http: HttpClientConfig | null
  readonly values: Values
}

export type Receiver = {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly integrations: readonly Integration[]
}

type PendingIntegration = Integration & { readonly at: Cursor; readonly isMissing: boolean }
export type PendingReceiver = Omit<Receiver, 'integrations'> & { readonly integrations: readonly PendingIntegration[] }

const integration = (kind: ReceiverKind): Decoder<PendingIntegration> => {
  const { fields, defaults = {}, sendsResolved, check, emptyIsDefault = false }: Spec = SPECS[kind]
  const decode = object(
    `${kind}.plain`,
    { send_resolved: boolean, http_config: httpConfig, ...fields },
    (raw, at): PendingIntegration => {
      const { send_resolved, http_config, ...given } = raw as Values & {
        send_resolved?: boolean
        http_config?: HttpClientConfig
      }
      const values = { ...defaults, ...given }
      const http = http_config ?? null
      const problem = at.isNull ? null : (check?.(values, http) ?? null)
      if (problem !== null) at.fail(problem)
      const isMissing = at.isNull && !emptyIsDefault
      return { kind, sendResolved: send_resolved ?? sendsResolved, http, values, at, isMissing }
    },
  )
  return decode
}

export const receiver: Decoder<PendingReceiver> = object(
  'config.plain',
  {
    name: string,
    labels: record(string),
    ...Object.fromEntries(RECEIVER_KINDS.map((kind) => [`${kind}_configs`, list(integration(kind))])),
  },
  (raw, at): PendingReceiver => {
    const {
      name = '',
      labels = {},
      ...rest
    } = raw as {
      name?: string
      labels?: Readonly<Record<string, string>>
    } & Readonly<Record<string, readonly PendingIntegration[] | undefined>>
    if (name === '') at.fail('missing name in receiver')
    if (labels['name'] !== undefined && labels['name'] !== name)
      at.fail(
        `receiver label "name" must match receiver name ${JSON.stringify(name)}, got ${JSON.stringify(labels['name'])}`,
      )
    const integrations = RECEIVER_KINDS.flatMap((kind) => rest[`${kind}_configs`] ?? [])
    return { name, labels: { ...labels, name }, integrations }
  },
)

/** @throws ConfigError for what is set neither here nor in `global` */
export function finishReceiver({ name, labels, integrations }: PendingReceiver, global: GlobalConfig): Receiver {
  return {
    name,
    labels,
    integrations: integrations.map(({ at, kind, sendResolved, http: own, values, isMissing }) => {
      if (isMissing) at.fail(`missing ${kind} config`)
      const { complete }: Spec = SPECS[kind]
      const http = own ?? global.http
      const finished = complete ? complete(values, global, { own, used: http }) : values
      return { kind, sendResolved, http, values: typeof finished === 'string' ? at.fail(finished) : finished }
    }),
  }
}
