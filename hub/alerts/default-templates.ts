/**
 * The templates that receivers use when their configuration says nothing, by the names that upstream gives them: users'
 * template files refer to these. The names and what they show are Alertmanager's (v0.34); the texts are ours.
 */
const LISTS = `
{{ define "__alertmanager" }}Alertmanager{{ end }}
{{ define "__alertmanagerURL" }}{{ .ExternalURL }}/#/alerts?receiver={{ .Receiver | urlquery }}{{ end }}
{{ define "__count" }}{{ if eq .Status "firing" }}:{{ .Alerts.Firing | len }}{{ end }}{{ end }}
{{ define "__subject" }}[{{ .Status | toUpper }}{{ template "__count" . }}] {{ .GroupLabels.SortedPairs.Values | join " " }} {{ if gt (len .CommonLabels) (len .GroupLabels) }}({{ with .CommonLabels.Remove .GroupLabels.Names }}{{ .Values | join " " }}{{ end }}){{ end }}{{ end }}
{{ define "__description" }}{{ end }}
{{ define "__pairs" }}{{ range .SortedPairs }} - {{ .Name }} = {{ .Value }}
{{ end }}{{ end }}
{{ define "__text_alert_list" }}{{ range . }}Labels:
{{ template "__pairs" .Labels }}Annotations:
{{ template "__pairs" .Annotations }}Source: {{ .GeneratorURL }}
{{ end }}{{ end }}
{{ define "__pairs_markdown" }}{{ range .SortedPairs }}  - {{ .Name }} = {{ .Value }}
{{ end }}{{ end }}
{{ define "__text_alert_list_markdown" }}{{ range . }}
Labels:
{{ template "__pairs_markdown" .Labels }}
Annotations:
{{ template "__pairs_markdown" .Annotations }}
Source: {{ .GeneratorURL }}
{{ end }}
{{ end }}
{{ define "__firing_and_resolved" }}{{ with .Alerts.Firing }}Alerts Firing:
{{ template "__text_alert_list" . }}{{ end }}
{{ with .Alerts.Resolved }}Alerts Resolved:
{{ template "__text_alert_list" . }}{{ end }}{{ end }}
{{ define "__firing_and_resolved_apart" }}
{{ with .Alerts.Firing }}
Alerts Firing:
{{ template "__text_alert_list" . }}
{{ end }}
{{ with .Alerts.Resolved }}
Alerts Resolved:
{{ template "__text_alert_list" . }}
{{ end }}
{{ end }}
`

const SERVICES = `
{{ define "slack.default.title" }}{{ template "__subject" . }}{{ end }}
{{ define "slack.default.username" }}{{ template "__alertmanager" . }}{{ end }}
{{ define "slack.default.fallback" }}{{ template "slack.default.title" . }} | {{ template "slack.default.titlelink" . }}{{ end }}
{{ define "slack.default.callbackid" }}{{ end }}
{{ define "slack.default.pretext" }}{{ end }}
{{ define "slack.default.titlelink" }}{{ template "__alertmanagerURL" . }}{{ end }}
{{ define "slack.default.iconemoji" }}{{ end }}
{{ define "slack.default.iconurl" }}{{ end }}
{{ define "slack.default.text" }}{{ end }}
{{ define "slack.default.footer" }}{{ end }}
{{ define "pagerduty.default.description" }}{{ template "__subject" . }}{{ end }}
{{ define "pagerduty.default.client" }}{{ template "__alertmanager" . }}{{ end }}
{{ define "pagerduty.default.clientURL" }}{{ template "__alertmanagerURL" . }}{{ end }}
{{ define "pagerduty.default.instances" }}{{ template "__text_alert_list" . }}{{ end }}
{{ define "opsgenie.default.message" }}{{ template "__subject" . }}{{ end }}
{{ define "opsgenie.default.description" }}{{ .CommonAnnotations.SortedPairs.Values | join " " }}
{{ template "__firing_and_resolved" . }}{{ end }}
{{ define "opsgenie.default.source" }}{{ template "__alertmanagerURL" . }}{{ end }}
{{ define "email.default.subject" }}{{ template "__subject" . }}{{ end }}
{{ define "email.default.html" }}<!doctype html>
<html>
<head><meta charset="utf-8"><title>{{ template "__subject" . }}</title></head>
<body>
<h1>{{ .Alerts | len }} alert{{ if gt (len .Alerts) 1 }}s{{ end }} for {{ range .GroupLabels.SortedPairs }}{{ .Name }}={{ .Value }} {{ end }}</h1>
<p><a href="{{ template "__alertmanagerURL" . }}">View in {{ template "__alertmanager" . }}</a></p>
{{ if gt (len .Alerts.Firing) 0 }}<h2>[{{ .Alerts.Firing | len }}] Firing</h2>{{ template "__email_alerts" .Alerts.Firing }}{{ end }}
{{ if gt (len .Alerts.Resolved) 0 }}<h2>[{{ .Alerts.Resolved | len }}] Resolved</h2>{{ template "__email_alerts" .Alerts.Resolved }}{{ end }}
<p><a href="{{ .ExternalURL }}">Sent by {{ template "__alertmanager" . }}</a></p>
</body>
</html>
{{ end }}
{{ define "__email_alerts" }}{{ range . }}<table>
<tr><th colspan="2">Labels</th></tr>
{{ range .Labels.SortedPairs }}<tr><td>{{ .Name }}</td><td>{{ .Value }}</td></tr>
{{ end }}{{ if gt (len .Annotations) 0 }}<tr><th colspan="2">Annotations</th></tr>
{{ range .Annotations.SortedPairs }}<tr><td>{{ .Name }}</td><td>{{ .Value }}</td></tr>
{{ end }}{{ end }}</table>
<p><a href="{{ .GeneratorURL }}">Source</a></p>
{{ end }}{{ end }}
`

const MORE_SERVICES = `
{{ define "__summary_and_alerts" }}{{ .CommonAnnotations.SortedPairs.Values | join " " }}
{{ template "__firing_and_resolved" . }}{{ end }}
{{ define "__summary_and_alerts_apart" }}{{ .CommonAnnotations.SortedPairs.Values | join " " }}{{ template "__firing_and_resolved_apart" . }}{{ end }}
{{ define "__firing_and_resolved_markdown" }}
{{ with .Alerts.Firing }}
# Alerts Firing:
{{ template "__text_alert_list_markdown" . }}
{{ end }}
{{ with .Alerts.Resolved }}
# Alerts Resolved:
{{ template "__text_alert_list_markdown" . }}
{{ end }}
{{ end }}
{{ define "discord.default.content" }}{{ end }}
{{ define "discord.default.title" }}{{ template "__subject" . }}{{ end }}
{{ define "discord.default.message" }}{{ template "__firing_and_resolved_apart" . }}{{ end }}
{{ define "jira.default.summary" }}{{ template "__subject" . }}{{ end }}
{{ define "jira.default.description" }}{{ template "__firing_and_resolved_markdown" . }}{{ end }}
{{ define "jira.default.priority" }}{{ $priority := "" }}{{ range .Alerts.Firing }}{{ $severity := index .Labels "severity" }}{{ if eq $severity "critical" }}{{ $priority = "High" }}{{ else if and (eq $severity "warning") (ne $priority "High") }}{{ $priority = "Medium" }}{{ else if and (eq $severity "info") (eq $priority "") }}{{ $priority = "Low" }}{{ end }}{{ end }}{{ $priority }}{{ end }}
{{ define "mattermost.default.username" }}{{ template "__alertmanager" . }}{{ end }}
{{ define "mattermost.default.color" }}{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}{{ end }}
{{ define "mattermost.default.title" }}{{ template "__subject" . }}{{ end }}
{{ define "mattermost.default.titlelink" }}{{ template "__alertmanagerURL" . }}{{ end }}
{{ define "mattermost.default.fallback" }}{{ template "mattermost.default.title" . }} | {{ template "mattermost.default.titlelink" . }}{{ end }}
{{ define "mattermost.default.text" }}{{ template "__firing_and_resolved_markdown" . }}{{ end }}
{{ define "msteams.default.title" }}{{ template "__subject" . }}{{ end }}
{{ define "msteams.default.summary" }}{{ template "__subject" . }}{{ end }}
{{ define "msteams.default.text" }}{{ template "__firing_and_resolved_markdown" . }}{{ end }}
{{ define "msteamsv2.default.title" }}{{ template "__subject" . }}{{ end }}
{{ define "msteamsv2.default.text" }}{{ template "__firing_and_resolved_markdown" . }}{{ end }}
{{ define "pushover.default.title" }}{{ template "__subject" . }}{{ end }}
{{ define "pushover.default.message" }}{{ template "__summary_and_alerts_apart" . }}{{ end }}
{{ define "pushover.default.url" }}{{ template "__alertmanagerURL" . }}{{ end }}
{{ define "rocketchat.default.title" }}{{ template "__subject" . }}{{ end }}
{{ define "rocketchat.default.titlelink" }}{{ template "__alertmanagerURL" . }}{{ end }}
{{ define "rocketchat.default.alias" }}{{ template "__alertmanager" . }}{{ end }}
{{ define "rocketchat.default.emoji" }}{{ end }}
{{ define "rocketchat.default.iconurl" }}{{ end }}
{{ define "rocketchat.default.text" }}{{ end }}
{{ define "slack.default.color" }}{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}{{ end }}
{{ define "sns.default.subject" }}{{ template "__subject" . }}{{ end }}
{{ define "sns.default.message" }}{{ template "__summary_and_alerts_apart" . }}{{ end }}
{{ define "telegram.default.message" }}{{ template "__firing_and_resolved_apart" . }}{{ end }}
{{ define "victorops.default.state_message" }}{{ template "__summary_and_alerts" . }}{{ end }}
{{ define "victorops.default.entity_display_name" }}{{ template "__subject" . }}{{ end }}
{{ define "victorops.default.monitoring_tool" }}{{ template "__alertmanager" . }}{{ end }}
{{ define "webex.default.message" }}{{ template "__summary_and_alerts_apart" . }}{{ end }}
{{ define "wechat.default.message" }}{{ template "__subject" . }}
{{ template "__summary_and_alerts" . }}
AlertmanagerUrl:
{{ template "__alertmanagerURL" . }}{{ end }}
{{ define "wechat.default.to_user" }}{{ end }}
{{ define "wechat.default.to_party" }}{{ end }}
{{ define "wechat.default.to_tag" }}{{ end }}
{{ define "wechat.default.agent_id" }}{{ end }}
`

export const DEFAULT_TEMPLATES = [{ name: 'default.tmpl', text: LISTS + SERVICES + MORE_SERVICES }] as const
