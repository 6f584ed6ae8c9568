/**
 * Amazon SNS, its Publish signed with Signature Version 4. Semantics: Alertmanager notify/sns/sns.go (v0.34), AWS's
 * description of the Query API and of SigV4. Keys are those of the configuration: profiles and roles need AWS's SDK.
 */
import { createHash, createHmac } from 'node:crypto'
import type { Sigv4 } from '../../../protocol/config/mod.ts'
import type { Integration } from '../config/mod.ts'
import type { Sender, Telling } from './contract.ts'
import { DEFAULT_TIMEOUT_MS, type SendEnv, sendHttp } from './http.ts'
import { filled, groupDigest, shortened, shortenedBytes, text, type Values } from './values.ts'

const MESSAGE_BYTES_MAX = 256 * 1024
const SMS_MAX = 1600
const SUBJECT_MAX = 100

export function sns({ values, http }: Integration, env: SendEnv): Sender {
  const sigv4 = (values['sigv4'] ?? {}) as Sigv4
  return {
    send: async (telling, signal) => {
      const { access_key = '', secret_key } = sigv4
      if (access_key === '' || !secret_key || sigv4.role_arn || sigv4.profile)
        return { ok: false, retry: false, problem: 'SNS is sent to with access_key and secret_key of sigv4 only' }
      const parameters = parametersOf(values, telling)
      const arn = parameters['TopicArn'] ?? parameters['TargetArn'] ?? ''
      const region = sigv4.region || arn.split(':')[3] || 'us-east-1'
      const url = telling.expand(text(values, 'api_url')) || `https://sns.${region}.amazonaws.com/`
      const body = new URLSearchParams(parameters).toString()
      const headers = signed({
        url: new URL(url),
        body,
        region,
        service: 'sns',
        accessKey: access_key,
        secretKey: secret_key.reveal(),
        nowMs: telling.notification.nowMs,
      })
      return sendHttp(env, http, { url, headers, body, timeoutMs: DEFAULT_TIMEOUT_MS }, signal)
    },
  }
}

function parametersOf(values: Values, { expand, notification }: Telling): Record<string, string> {
  const of = (name: string): string => expand(text(values, name))
  const topic = of('topic_arn')
  const phone = of('phone_number')
  const whole = of('message')
  const message = phone === '' ? shortenedBytes(whole, MESSAGE_BYTES_MAX) : shortened(whole, SMS_MAX)
  const digest = topic.endsWith('.fifo') ? groupDigest(notification.groupKey) : ''
  const attributes = Object.entries((values['attributes'] ?? {}) as Readonly<Record<string, string>>)
    .map(([name, value]) => [expand(name), expand(value)] as const)
    .concat(message === whole ? [] : [['truncated', 'true']])
  return {
    Action: 'Publish',
    Version: '2010-03-31',
    ...filled({ TopicArn: topic, PhoneNumber: phone, TargetArn: of('target_arn') }),
    ...filled({
      Subject: shortened(
        of('subject')
          .replace(/[^\x20-\x7e]/g, ' ')
          .trim(),
        SUBJECT_MAX,
      ),
    }),
    Message: message,
    ...filled({ MessageDeduplicationId: digest, MessageGroupId: digest }),
    ...Object.fromEntries(
      attributes.flatMap(([name, value], i) => {
        const entry = `MessageAttributes.entry.${i + 1}`
        return [
          [`${entry}.Name`, name],
          [`${entry}.Value.DataType`, 'String'],
          [`${entry}.Value.StringValue`, value],
        ]
      }),
    ),
  }
}

type Signing = {
  readonly url: URL
  readonly body: string
  readonly region: string
  readonly service: string
  readonly accessKey: string
  readonly secretKey: string
  readonly nowMs: number
}

/** The headers of a POST of a form, signed. Semantics: AWS Signature Version 4. */
export function signed({ url, body, region, service, accessKey, secretKey, nowMs }: Signing): Record<string, string> {
  const time = `${new Date(nowMs).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
  const date = time.slice(0, 8)
  const sha256 = (value: string): string => createHash('sha256').update(value).digest('hex')
  const mac = (key: string | Buffer, value: string): Buffer => createHmac('sha256', key).update(value).digest()
  const headers = {
    'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
    host: url.host,
    'x-amz-date': time,
  }
  const names = Object.keys(headers).join(';')
  const canonical = [
    'POST',
    url.pathname,
    url.search.slice(1),
    ...Object.entries(headers).map(([name, value]) => `${name}:${value}`),
    '',
    names,
    sha256(body),
  ].join('\n')
  const scope = `${date}/${region}/${service}/aws4_request`
  const toSign = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')
  const key = [region, service, 'aws4_request'].reduce<Buffer>(mac, mac(`AWS4${secretKey}`, date))
  const signature = mac(key, toSign).toString('hex')
  const { host: _, ...sent } = headers
  return {
    ...sent,
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKey}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  }
}
