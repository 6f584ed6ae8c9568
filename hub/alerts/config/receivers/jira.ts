/** `jira_configs`. Semantics: Alertmanager notify/jira/config.go (v0.34). */
import { isMap, isSeq } from 'yaml'
import { boolean, type Decoder, duration, list, object, string } from '../../../../protocol/config/mod.ts'
import { anyMap, has, url } from '../fields.ts'
import { inherit, type Spec, strings } from './spec.ts'

/** Whether an issue that is there gets the field anew is said beside it. */
export type JiraField = { readonly template: string; readonly enableUpdate: boolean }
export type JiraLabels = { readonly values: readonly string[]; readonly enableUpdate: boolean }

const fieldObject = object(
  'jira.plain',
  { template: string, enable_update: boolean },
  (raw): JiraField => ({
    template: raw.template ?? '',
    enableUpdate: raw.enable_update ?? true,
  }),
)
/** A template, or a mapping with it. */
const field: Decoder<JiraField> = (at) =>
  isMap(at.node) ? fieldObject(at) : { template: string(at), enableUpdate: true }

const labelsObject = object(
  'jira.plain',
  { values: list(string), enable_update: boolean },
  (raw): JiraLabels => ({
    values: raw.values ?? [],
    enableUpdate: raw.enable_update ?? true,
  }),
)
const labels: Decoder<JiraLabels> = (at) =>
  isSeq(at.node) ? { values: list(string)(at), enableUpdate: true } : labelsObject(at)

export const jira: Spec = {
  fields: {
    api_url: url,
    ...strings('api_type', 'project', 'priority', 'issue_type', 'reopen_transition', 'resolve_transition'),
    ...strings('wont_fix_resolution'),
    summary: field,
    description: field,
    labels,
    reopen_duration: duration,
    fields: anyMap,
    custom_fields: anyMap,
  },
  defaults: {
    api_type: 'auto',
    summary: { template: '{{ template "jira.default.summary" . }}', enableUpdate: true },
    description: { template: '{{ template "jira.default.description" . }}', enableUpdate: true },
    labels: { values: [], enableUpdate: true },
    priority: '{{ template "jira.default.priority" . }}',
  },
  sendsResolved: true,
  check: (values) => {
    if (!has(values['project'])) return 'missing project in jira_config'
    if (!has(values['issue_type'])) return 'missing issue_type in jira_config'
    return ['auto', 'cloud', 'datacenter'].includes(values['api_type'] as string)
      ? null
      : 'unknown api_type on jira_config, must be auto, cloud or datacenter'
  },
  complete: (values, global) => {
    const out = inherit(values, global, [['api_url', 'jira_api_url']])
    return has(out['api_url']) ? out : 'no global Jira Cloud URL set'
  },
}
