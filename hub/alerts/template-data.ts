/** What notification templates see. Semantics: Alertmanager template/template.go (v0.34): Data, Alerts, KV. */
import { compareStrings } from '../../protocol/labels/mod.ts'
import { GoList, GoMap, GoStruct, goTime, type Value, ZERO_TIME_NS } from '../template/mod.ts'

export type TemplateAlert = {
  readonly status: 'firing' | 'resolved'
  /** null prints as an absent map. */
  readonly labels: Readonly<Record<string, string>> | null
  readonly annotations: Readonly<Record<string, string>> | null
  /** 0 = the zero time. */
  readonly startsAtMs: number
  readonly endsAtMs: number
  readonly generatorUrl: string
  readonly fingerprint: string
}

export type TemplateData = {
  readonly receiver: string
  readonly status: string
  readonly alerts: readonly TemplateAlert[]
  /** Why it is told now; '' where nobody says. */
  readonly reason: string
  readonly groupLabels: Readonly<Record<string, string>> | null
  readonly commonLabels: Readonly<Record<string, string>> | null
  readonly commonAnnotations: Readonly<Record<string, string>> | null
  readonly externalUrl: string
  readonly routeLabels: Readonly<Record<string, string>> | null
}

export function templateData(data: TemplateData): GoStruct {
  return new GoStruct('*template.Data', {
    Receiver: data.receiver,
    Status: data.status,
    Alerts: alertList(data.alerts.map(alertValue)),
    NotificationReason: data.reason,
    GroupLabels: kv(data.groupLabels),
    CommonLabels: kv(data.commonLabels),
    CommonAnnotations: kv(data.commonAnnotations),
    ExternalURL: data.externalUrl,
    RouteLabels: kv(data.routeLabels),
  })
}

function alertValue(alert: TemplateAlert): GoStruct {
  return new GoStruct('template.Alert', {
    Status: alert.status,
    Labels: kv(alert.labels),
    Annotations: kv(alert.annotations),
    StartsAt: timeValue(alert.startsAtMs),
    EndsAt: timeValue(alert.endsAtMs),
    GeneratorURL: alert.generatorUrl,
    Fingerprint: alert.fingerprint,
  })
}

const timeValue = (ms: number): GoStruct => goTime(ms === 0 ? ZERO_TIME_NS : BigInt(Math.round(ms)) * 1_000_000n)

function alertList(alerts: readonly GoStruct[]): GoList {
  const having = (status: string): Value => alertList(alerts.filter(({ fields }) => fields['Status'] === status))
  return new GoList(alerts, 'template.Alerts', { Firing: () => having('firing'), Resolved: () => having('resolved') })
}

/** Go's nil maps: empty for templates, `null` in JSON. */
const NIL_MAPS = new WeakSet<GoMap>()
export const isNilMap = (map: GoMap): boolean => NIL_MAPS.has(map)

export function kv(values: Readonly<Record<string, string>> | null): GoMap {
  const entries = Object.entries(values ?? {})
  const names = entries.map(([name]) => name).sort(compareStrings)
  // `alertname` stands first, as upstream prints groups.
  const ordered = names.includes('alertname') ? ['alertname', ...names.filter((name) => name !== 'alertname')] : names
  const pairs = (): GoList => {
    const items = ordered.map((name) => new GoStruct('template.Pair', { Name: name, Value: values![name]! }))
    const column = (field: 'Name' | 'Value') => (): Value =>
      new GoList(
        items.map(({ fields }) => fields[field]!),
        '[]string',
      )
    return new GoList(items, 'template.Pairs', {
      Names: column('Name'),
      Values: column('Value'),
      String: () => ordered.map((name) => `${name}=${values![name]}`).join(', '),
    })
  }
  const out = new GoMap(entries, {
    typeName: 'template.KV',
    zero: '',
    methods: {
      SortedPairs: pairs,
      Names: () => pairs().methods['Names']!(),
      Values: () => pairs().methods['Values']!(),
      Remove: (removed) => {
        const gone = removed instanceof GoList ? removed.items : []
        return kv(Object.fromEntries(entries.filter(([name]) => !gone.includes(name))))
      },
      String: () => pairs().methods['String']!(),
    },
  })
  if (values === null) NIL_MAPS.add(out)
  return out
}
