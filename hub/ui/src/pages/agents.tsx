/** Agents: enrolled ones and the hub's own, with how far each lags and what is missing. */
import type { Agent, AgentIngest, AgentsData } from '../api/types.ts'
import type { PageProps } from '../app.tsx'
import { formatAge } from '../logic/duration.ts'
import { formatCount } from '../logic/format.ts'
import { formatTime } from '../logic/time.ts'
import { useSettings } from '../state/settings.ts'
import { AgentDetail } from './agent-detail.tsx'
import { Ago, type Column, List, ListFailure, State, useList } from './list-page.tsx'

/** Older than this the newest sample makes an agent late. */
const LATE_MS = 60_000

export function AgentsPage({ tick }: PageProps) {
  const { settings } = useSettings()
  const loaded = useList<AgentsData>('agents', tick)
  const { agents = [], local = [] } = loaded.answer?.data ?? {}
  const rows: readonly Agent[] = [
    ...agents,
    ...local.map((ingest) => ({ agent: ingest.agent, site: 'this hub', ingest })),
  ]
  const ingest = (read: (of: AgentIngest) => number) => (row: Agent) => (row.ingest ? read(row.ingest) : -1)
  const columns: readonly Column<Agent>[] = [
    { title: 'Agent', text: (row) => row.agent, cell: (row) => <strong title={row.publicKey}>{row.agent}</strong> },
    { title: 'Site', text: (row) => row.site ?? '', cell: (row) => row.site ?? '' },
    {
      title: 'Identity',
      text: (row) => row.status ?? '',
      cell: (row) => (row.status ? <State state={row.status} /> : 'in-process'),
    },
    {
      title: 'Version',
      text: ({ presence }) => presence?.version ?? '',
      cell: ({ presence }) => presence?.version ?? '–',
    },
    { title: 'Exporters', text: exportersOf, cell: (row) => exportersOf(row) || '–' },
    { title: 'Data', text: dataState, cell: (row) => <State state={dataState(row)} /> },
    {
      title: 'Newest sample',
      text: ingest((of) => of.newestSampleMs),
      cell: (row) => <Ago timeMs={row.ingest?.newestSampleMs || null} zone={settings.zone} />,
    },
    {
      title: 'Last batch',
      text: ingest((of) => of.lastReceivedMs),
      cell: (row) => <Ago timeMs={row.ingest?.lastReceivedMs || null} zone={settings.zone} />,
    },
    {
      title: 'Lag',
      class: 'number',
      text: ingest((of) => of.lagMs),
      cell: (row) => (row.ingest?.newestSampleMs ? formatAge(row.ingest.lagMs) : '–'),
    },
    {
      title: 'Complete to',
      text: ingest((of) => of.watermarkMs ?? 0),
      cell: (row) => (row.ingest?.watermarkMs ? formatTime(row.ingest.watermarkMs, settings.zone) : '–'),
    },
    {
      title: 'Samples',
      class: 'number',
      text: ingest((of) => of.samples),
      cell: (row) => (row.ingest ? formatCount(row.ingest.samples) : '–'),
    },
    {
      title: 'Holes',
      class: 'number',
      text: ingest((of) => of.holes),
      cell: (row) => (row.ingest ? formatCount(row.ingest.holes) : '–'),
    },
  ]
  return (
    <>
      <h1 class="offscreen">Agents</h1>
      <ListFailure failure={loaded.failure} what="agents" />
      {loaded.failure?.status !== 404 && (
        <List
          title="Agents"
          loaded={loaded}
          items={rows}
          columns={columns}
          none="No agent is enrolled yet."
          detail={{
            id: (row) => `${row.site} ${row.agent}`,
            title: 'Gaps and their reasons',
            content: (row) => <AgentDetail agent={row} tick={tick} />,
          }}
        />
      )}
    </>
  )
}

function exportersOf({ presence }: Agent): string {
  return (presence?.exporters ?? []).join(', ')
}

function dataState({ ingest }: Agent): string {
  if (!ingest || ingest.newestSampleMs === 0) return 'none yet'
  return ingest.lagMs > LATE_MS ? 'late' : 'live'
}
