/** `opsgenie_configs`. Semantics: Alertmanager notify/opsgenie/config.go (v0.34). */
import { boolean, list, object, record, secret, string } from '../../../../protocol/config/mod.ts'
import { has, templateProblem, url } from '../fields.ts'
import { defaultTemplates, inherit, inheritSecret, oneOfTwo, type Spec, strings } from './spec.ts'

export type Responder = {
  readonly id?: string
  readonly name?: string
  readonly username?: string
  readonly type?: string
}
const TYPES = '^(team|teams|user|escalation|schedule)$'

export const opsgenie: Spec = {
  fields: {
    api_key: secret,
    ...strings('api_key_file', 'message', 'description', 'source', 'entity', 'actions', 'tags', 'note', 'priority'),
    api_url: url,
    details: record(string),
    responders: list(
      object(
        'opsgenie.OpsGenieConfigResponder',
        { id: string, name: string, username: string, type: string },
        (raw): Responder => raw,
      ),
    ),
    update_alerts: boolean,
  },
  defaults: defaultTemplates('opsgenie', 'message', 'description', 'source'),
  sendsResolved: true,
  emptyIsDefault: true,
  check: (values) => {
    const problems = ((values['responders'] ?? []) as readonly Responder[]).map(responderProblem)
    return oneOfTwo(values, 'api_key') ?? problems.find((problem) => problem !== null) ?? null
  },
  complete: (values, global) => {
    const out = inheritSecret(
      inherit(values, global, [['api_url', 'opsgenie_api_url']]),
      global,
      'api_key',
      'opsgenie_api_key',
    )
    return has(out['api_key']) || has(out['api_key_file'])
      ? out
      : 'no global OpsGenie API Key set either inline or in a file'
  },
}

function responderProblem({ id = '', name = '', username = '', type = '' }: Responder): string | null {
  const shown = (kind: string): string => `opsGenieConfig responder {${[id, name, username, kind].join(' ')}}`
  if (!id && !name && !username) return `${shown(type)} has to have at least one of id, username or name specified`
  const problem = templateProblem(type)
  if (problem !== '') return `${shown(type)} type contains invalid template syntax: ${problem}`
  const kind = type.toLowerCase()
  return type.includes('{{') || new RegExp(TYPES).test(kind)
    ? null
    : `${shown(kind)} type does not match valid options ${TYPES}`
}
