/** Alerts as they stand, whom they reach and what mutes them, and the rules that make them. */
import type { Alert, AlertmanagersData, AlertsData, Rule, RuleGroup, RulesData } from '../api/types.ts'
import type { PageProps } from '../app.tsx'
import { formatDuration } from '../logic/duration.ts'
import { formatSeries } from '../logic/labels.ts'
import { SeriesName } from '../query/series-name.tsx'
import { go } from '../state/router.ts'
import { useSettings } from '../state/settings.ts'
import { DEFAULT_PANEL, encodePanels } from '../state/url-state.ts'
import { Ago, type Column, instant, List, ListFailure, State, useList } from './list-page.tsx'
import { Notifications } from './notifications.tsx'

type RuleRow = Rule & { readonly group: RuleGroup }

export function AlertsPage({ tick }: PageProps) {
  const { settings } = useSettings()
  const alerts = useList<AlertsData>('alerts', tick)
  const rules = useList<RulesData>('rules', tick)
  const { builtIn } = useList<AlertmanagersData>('alertmanagers', tick).answer?.data ?? {}
  const active = alerts.answer?.data.alerts ?? []
  const firing = active.filter(({ state }) => state === 'firing').length
  const rows: readonly RuleRow[] = (rules.answer?.data.groups ?? []).flatMap((group) =>
    (group.rules ?? []).map((rule) => ({ ...rule, group })),
  )
  const alertColumns: readonly Column<Alert>[] = [
    { title: 'State', text: (alert) => alert.state, cell: (alert) => <State state={alert.state} /> },
    {
      title: 'Alert',
      text: (alert) => alert.labels['alertname'] ?? '',
      cell: (alert) => <strong>{alert.labels['alertname'] ?? ''}</strong>,
    },
    {
      title: 'Labels',
      class: 'series',
      text: (alert) => formatSeries(alert.labels),
      cell: ({ labels: { alertname: _, ...rest } }) => <SeriesName labels={rest} />,
    },
    {
      title: 'Since',
      text: (alert) => instant(alert.activeAt) ?? 0,
      cell: (alert) => <Ago timeMs={instant(alert.activeAt)} zone={settings.zone} />,
    },
    { title: 'Value', class: 'number', text: (alert) => Number(alert.value), cell: (alert) => alert.value ?? '' },
    {
      title: 'Annotations',
      text: (alert) => Object.values(alert.annotations ?? {}).join(' '),
      cell: (alert) =>
        Object.entries(alert.annotations ?? {}).map(([name, text]) => (
          <div key={name}>
            <span class="facts">{name}:</span> <span class="wrap">{text}</span>
          </div>
        )),
    },
  ]
  const ruleColumns: readonly Column<RuleRow>[] = [
    {
      title: 'Group',
      text: ({ group }) => group.name,
      cell: ({ group }) => <span title={group.file}>{group.name}</span>,
    },
    { title: 'Rule', text: (rule) => rule.name, cell: (rule) => rule.name },
    {
      title: 'State',
      text: (rule) => rule.state ?? rule.type,
      cell: (rule) => (rule.state ? <State state={rule.state} /> : rule.type),
    },
    {
      title: 'Expression',
      class: 'mono',
      text: (rule) => rule.query,
      cell: (rule) => (
        <button
          type="button"
          class="link"
          title="Open as a query"
          onClick={() => go('query', encodePanels([{ ...DEFAULT_PANEL, expr: rule.query, tab: 'graph' }]))}
        >
          {rule.query}
        </button>
      ),
    },
    { title: 'For', class: 'number', cell: (rule) => (rule.duration ? formatDuration(rule.duration * 1000) : '') },
    { title: 'Health', text: (rule) => rule.health ?? '', cell: (rule) => <State state={rule.health ?? 'unknown'} /> },
    {
      title: 'Evaluated',
      text: (rule) => instant(rule.lastEvaluation) ?? 0,
      cell: (rule) => <Ago timeMs={instant(rule.lastEvaluation)} zone={settings.zone} />,
    },
    {
      title: 'Took',
      class: 'number',
      text: (rule) => rule.evaluationTime ?? 0,
      cell: (rule) => `${((rule.evaluationTime ?? 0) * 1000).toFixed(1)} ms`,
    },
    { title: 'Error', class: 'error-text', text: (rule) => rule.lastError ?? '', cell: (rule) => rule.lastError ?? '' },
  ]
  return (
    <>
      <h1 class="offscreen">Alerts</h1>
      <ListFailure failure={alerts.failure} what="alerts" />
      <List
        title="Alerts"
        loaded={alerts}
        items={active}
        columns={alertColumns}
        none="No alert is pending or firing."
        extra={firing > 0 && <span class="state crit">◆ {firing} firing</span>}
      />
      {builtIn === true && <Notifications tick={tick} />}
      {builtIn === false && (
        <p class="note">
          This hub notifies nobody by itself: put an alertmanager.yml beside its configuration for routes, silences and
          receivers.
        </p>
      )}
      <ListFailure failure={rules.failure} what="rules" />
      <List title="Rules" loaded={rules} items={rows} columns={ruleColumns} none="No rule is configured." />
    </>
  )
}
