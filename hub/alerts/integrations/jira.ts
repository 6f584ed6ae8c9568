/**
 * Jira: one issue for each group, found again by a label, changed, and moved to where it is resolved or open again.
 * Semantics: Alertmanager notify/jira/jira.go (v0.34), REST API v2 and v3.
 */
import type { Integration, JiraField, JiraLabels } from '../config/mod.ts'
import { DELIVERED, type Sender, type SendResult, type Telling } from './contract.ts'
import { DEFAULT_TIMEOUT_MS, exchange, type SendEnv } from './http.ts'
import { expandedTree, groupDigest, shortened, text, type Values } from './values.ts'

const SUMMARY_MAX = 255
const DESCRIPTION_MAX = 32_767

type Issue = {
  readonly key: string
  readonly fields?: { readonly status?: { readonly statusCategory?: { readonly key?: string } } }
}
/** Ends the sending with this result. */
class Failed extends Error {
  readonly result: SendResult
  constructor(result: SendResult) {
    super(result.problem)
    this.result = result
  }
}
type Ask = (method: 'GET' | 'POST' | 'PUT', url: string, body?: object) => Promise<unknown>

export function jira({ values, http }: Integration, env: SendEnv): Sender {
  const base = text(values, 'api_url').replace(/\/*$/, '')
  return {
    send: async (telling, signal) => {
      const ask: Ask = async (method, url, body) => {
        const headers = { 'accept-language': 'en' }
        const message = { method, url, headers, body: JSON.stringify(body ?? ''), timeoutMs: DEFAULT_TIMEOUT_MS }
        const { result, body: answer } = await exchange(env, http, message, signal)
        if (!result.ok)
          throw new Failed({ ...result, problem: `${method} ${new URL(url).pathname}: ${result.problem}` })
        return answer === '' ? {} : JSON.parse(answer)
      }
      try {
        await tell(values, base, telling, ask)
        return DELIVERED
      } catch (error) {
        if (error instanceof Failed) return error.result
        return { ok: false, retry: false, problem: (error as Error).message }
      }
    },
  }
}

async function tell(values: Values, base: string, telling: Telling, ask: Ask): Promise<void> {
  const isFiring = telling.data.alerts.some(({ status }) => status === 'firing')
  const issue = await search(values, base, telling, ask, isFiring)
  if (!issue) {
    // What is over before it was told of needs no issue.
    if (isFiring) await ask('POST', `${base}/issue`, { fields: fieldsOf(values, base, telling, false) })
    return
  }
  await ask('PUT', `${base}/issue/${issue.key}`, { fields: fieldsOf(values, base, telling, true) })
  await move(values, base, issue, ask, isFiring)
}

async function search(values: Values, base: string, telling: Telling, ask: Ask, isFiring: boolean) {
  const wontFix = text(values, 'wont_fix_resolution')
  const reopenMinutes = Math.trunc(((values['reopen_duration'] as number | undefined) ?? 0) / 60_000)
  const project = telling.expand(text(values, 'project'))
  const isReopened = isFiring && text(values, 'reopen_transition') !== '' && reopenMinutes > 0
  const jql = [
    wontFix === '' ? '' : `(resolution is EMPTY or resolution != ${JSON.stringify(wontFix)}) and `,
    isReopened
      ? `(resolutiondate is EMPTY OR resolutiondate >= -${reopenMinutes}m) and `
      : 'statusCategory != Done and ',
    `project=${JSON.stringify(project)} and labels=${JSON.stringify(labelOf(telling))}`,
    ' order by status ASC,resolutiondate DESC',
  ].join('')
  const type = text(values, 'api_type', 'auto')
  const isCloud = type === 'cloud' || (type === 'auto' && new URL(base).hostname.endsWith('atlassian.net'))
  const url = isCloud ? `${base}/search/jql`.replace('/rest/api/2/', '/rest/api/3/') : `${base}/search`
  const found = (await ask('POST', url, { jql, maxResults: 2, fields: ['status'] })) as { issues?: readonly Issue[] }
  return found.issues?.[0] ?? null
}

const labelOf = ({ notification }: Telling): string => `ALERT{${groupDigest(notification.groupKey)}}`

function fieldsOf(values: Values, base: string, telling: Telling, isUpdate: boolean): object {
  const { expand } = telling
  const of = (name: string): string => expand(text(values, name))
  const summary = values['summary'] as JiraField
  const description = values['description'] as JiraField
  const labels = values['labels'] as JiraLabels
  const priority = of('priority')
  const more = expandedTree(values['fields'] ?? values['custom_fields'] ?? {}, (each) => expand(each)) as object
  return {
    project: { key: of('project') },
    issuetype: { name: of('issue_type') },
    ...((!isUpdate || summary.enableUpdate) && { summary: shortened(expand(summary.template), SUMMARY_MAX) }),
    ...((!isUpdate || description.enableUpdate) && {
      description: descriptionOf(shortened(expand(description.template), DESCRIPTION_MAX), base),
    }),
    ...((!isUpdate || labels.enableUpdate) && {
      labels: [...labels.values.map((label) => expand(label)), labelOf(telling)].sort(),
    }),
    ...(priority !== '' && { priority: { name: priority } }),
    ...more,
  }
}

/** Version 3 takes a document in JSON, version 2 text. */
function descriptionOf(shown: string, base: string): unknown {
  if (!/\/3$/.test(base)) return shown === '' ? null : shown
  if (shown.trim() === '') return null
  try {
    return JSON.parse(shown)
  } catch (error) {
    throw new Error('description template: invalid JSON for API v3', { cause: error })
  }
}

async function move(values: Values, base: string, { key, fields }: Issue, ask: Ask, isFiring: boolean): Promise<void> {
  const category = fields?.status?.statusCategory?.key
  if (category === undefined || (category === 'done') !== isFiring) return
  const wanted = text(values, isFiring ? 'reopen_transition' : 'resolve_transition')
  const url = `${base}/issue/${key}/transitions`
  const { transitions = [] } = (await ask('GET', url)) as { transitions?: readonly { id: string; name: string }[] }
  const found = transitions.find(({ name }) => name === wanted)
  if (!found) throw new Error(`can't find transition ${wanted} for issue ${key}`)
  await ask('POST', url, { transition: { id: found.id } })
}
