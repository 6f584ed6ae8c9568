import assert from 'node:assert/strict'
import { test } from 'node:test'
import { signed } from './sns.ts'
import { send, withService } from './testing/service.ts'

test('incident.io: the data of the group, with a token', async () => {
  await withService(
    [
      [202, ''],
      [429, ''],
    ],
    async (url, seen) => {
      const config = `incidentio_configs: [{url: '${url}', alert_source_token: tok, max_alerts: 1}]`
      assert.equal((await send(config)).ok, true)
      const [{ authorization, body }] = seen as [(typeof seen)[number]]
      assert.deepEqual(
        [authorization, body.version, body.alerts.length, body.truncatedAlerts, body.groupKey],
        ['Bearer tok', '1', 1, 1, '{}:{alertname="Down"}'],
      )
      assert.deepEqual([(await send(config)).ok, (await send(config)).ok], [false, true])
    },
  )
})

test('a webhook with a payload of its own: every text in it a template', async () => {
  await withService([], async (url, seen) => {
    const payload = `{text: '{{ .Status }}', n: 3, list: ['{{ .Receiver }}', {deep: '{{ .Alerts | len }}'}], alerts: '{{ .CommonLabels | toJson }}'}`
    assert.equal((await send(`webhook_configs: [{url: '${url}', payload: ${payload}}]`)).ok, true)
    assert.deepEqual(seen[0]!.body, {
      text: 'firing',
      n: 3,
      list: ['r', { deep: 2 }],
      alerts: { alertname: 'Down', severity: 'page' },
    })
  })
})

const jira = (url: string, more = ''): string =>
  `jira_configs: [{api_url: '${url}/rest/api/2', project: OPS, issue_type: Bug, description: d, labels: [a], resolve_transition: Done, reopen_transition: Reopen, reopen_duration: 1h, fields: {customfield_1: {value: '{{ .Receiver }}'}}${more}}]`
const issueOf = (category: string): string =>
  JSON.stringify({ issues: [{ key: 'OPS-1', fields: { status: { statusCategory: { key: category } } } }] })
const TRANSITIONS = JSON.stringify({
  transitions: [
    { id: '11', name: 'Done' },
    { id: '12', name: 'Reopen' },
  ],
})

test('Jira: a new issue while firing, none for what is over', async () => {
  await withService(
    [
      [200, '{"issues":[]}'],
      [201, '{"key":"OPS-1"}'],
      [200, '{"issues":[]}'],
    ],
    async (url, seen) => {
      assert.equal((await send(jira(url))).ok, true)
      assert.equal((await send(jira(url), { resolved: true })).ok, true)
      assert.deepEqual(
        seen.map(({ method, path }) => `${method} ${path}`),
        ['POST /rest/api/2/search', 'POST /rest/api/2/issue', 'POST /rest/api/2/search'],
      )
      const [asked, { body }, askedAgain] = seen as [
        (typeof seen)[number],
        (typeof seen)[number],
        (typeof seen)[number],
      ]
      const label = body.fields.labels[0]
      assert.match(label, /^ALERT\{[0-9a-f]{64}\}$/)
      assert.equal(
        asked.body.jql,
        `(resolutiondate is EMPTY OR resolutiondate >= -60m) and project="OPS" and labels="${label}" order by status ASC,resolutiondate DESC`,
      )
      assert.match(askedAgain.body.jql, /^statusCategory != Done and /)
      assert.deepEqual(body.fields, {
        project: { key: 'OPS' },
        issuetype: { name: 'Bug' },
        summary: '[FIRING:2] Down (page)',
        description: 'd',
        labels: [label, 'a'],
        customfield_1: { value: 'r' },
      })
    },
  )
})

test('Jira: an issue that is there is changed, and moved when the group is resolved', async () => {
  const answers = [
    [200, issueOf('indeterminate')],
    [204, ''],
    [200, TRANSITIONS],
    [204, ''],
  ] as const
  await withService(answers, async (url, seen) => {
    const more = ', summary: {template: s, enable_update: false}'
    assert.deepEqual(await send(jira(url, more), { resolved: true }), { ok: true, retry: false, problem: '' })
    assert.deepEqual(
      seen.map(({ method, path }) => `${method} ${path}`),
      [
        'POST /rest/api/2/search',
        'PUT /rest/api/2/issue/OPS-1',
        'GET /rest/api/2/issue/OPS-1/transitions',
        'POST /rest/api/2/issue/OPS-1/transitions',
      ],
    )
    assert.ok(!('summary' in seen[1]!.body.fields))
    assert.deepEqual(seen[3]!.body, { transition: { id: '11' } })
  })
})

test('Jira: an issue that was closed is opened again; a transition that is not there is told of', async () => {
  await withService(
    [
      [200, issueOf('done')],
      [204, ''],
      [200, TRANSITIONS],
      [204, ''],
    ],
    async (url, seen) => {
      assert.equal((await send(jira(url))).ok, true)
      assert.deepEqual(seen[3]!.body, { transition: { id: '12' } })
    },
  )
  await withService(
    [
      [200, issueOf('done')],
      [204, ''],
      [200, '{}'],
    ],
    async (url) => {
      const { retry, problem } = await send(jira(url))
      assert.deepEqual([retry, problem], [false, "can't find transition Reopen for issue OPS-1"])
    },
  )
})

test('Jira: the cloud is searched by its new path, and version 3 wants a document', async () => {
  await withService([], async (url, seen) => {
    await send(jira(url, ', api_type: cloud'))
    assert.equal(seen[0]!.path, '/rest/api/3/search/jql')
  })
  await withService(
    [
      [200, '{}'],
      [200, '{}'],
      [200, '{}'],
    ],
    async (url, seen) => {
      const config = (description: string): string =>
        jira(url).replace('/rest/api/2', '/rest/api/3').replace('description: d', `description: '${description}'`)
      assert.equal((await send(config('{"type": "doc"}'))).ok, true)
      assert.deepEqual(seen[1]!.body.fields.description, { type: 'doc' })
      assert.match((await send(config('text'))).problem, /invalid JSON for API v3/)
    },
  )
})

test('SNS: a signed form', async () => {
  await withService(
    [
      [200, '<PublishResponse/>'],
      [403, 'denied'],
    ],
    async (url, seen) => {
      const config = `sns_configs: [{api_url: '${url}', topic_arn: 'arn:aws:sns:eu-west-1:1:t.fifo', sigv4: {access_key: AK, secret_key: SK}, message: '{{ .Status }}', attributes: {team: a}}]`
      assert.deepEqual(await send(config), { ok: true, retry: false, problem: '' })
      const [{ authorization, body }] = seen as [(typeof seen)[number]]
      assert.match(
        authorization,
        /^AWS4-HMAC-SHA256 Credential=AK\/20240105\/eu-west-1\/sns\/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=[0-9a-f]{64}$/,
      )
      const form = new URLSearchParams(body)
      assert.deepEqual(
        ['Action', 'TopicArn', 'Message', 'Subject', 'MessageAttributes.entry.1.Name'].map((name) => form.get(name)),
        ['Publish', 'arn:aws:sns:eu-west-1:1:t.fifo', 'firing', '[FIRING:2] Down (page)', 'team'],
      )
      assert.equal(form.get('MessageGroupId'), form.get('MessageDeduplicationId'))
      assert.deepEqual([(await send(config)).retry], [false])
    },
  )
  const { problem } = await send(`sns_configs: [{topic_arn: a, sigv4: {role_arn: r}}]`)
  assert.match(problem, /access_key and secret_key/)
})

// The signature was computed apart, with Python's hmac, after AWS's description.
test('Signature Version 4 of a form', () => {
  const { authorization } = signed({
    url: new URL('https://sns.us-east-1.amazonaws.com/'),
    body: 'Action=Publish',
    region: 'us-east-1',
    service: 'sns',
    accessKey: 'AKIDEXAMPLE',
    secretKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    nowMs: Date.UTC(2015, 7, 30, 12, 36),
  })
  assert.equal(
    authorization!.split('Signature=')[1],
    '75882899654b5eb833343acb83eccff7576a2cb2cda4c16f6866c0a891999177',
  )
})

test('Jira: what nobody will fix is left alone, and nothing that has no resolution yet', async () => {
  await withService([[200, '{}']], async (url, seen) => {
    await send(jira(url, ", wont_fix_resolution: Won't"))
    assert.match(seen[0]!.body.jql, /^\(resolution is EMPTY or resolution != "Won't"\) and \(resolutiondate is EMPTY/)
  })
})
