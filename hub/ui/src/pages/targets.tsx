/** Targets of the server's own scrape configuration, and those that relabelling dropped. The filters are the URL's. */

import type { DroppedTarget, Target, TargetsData } from '../api/types.ts'
import type { PageProps } from '../app.tsx'
import { formatSeries } from '../logic/labels.ts'
import { labelChanges } from '../logic/relabel.ts'
import { SeriesName } from '../query/series-name.tsx'
import { go } from '../state/router.ts'
import { useSettings } from '../state/settings.ts'
import { Ago, type Column, instant, List, ListFailure, State, useList } from './list-page.tsx'

type Filters = { readonly pool: string; readonly health: string; readonly search: string }

export function TargetsPage({ tick, search: query }: PageProps) {
  const loaded = useList<TargetsData>('targets', tick)
  const params = new URLSearchParams(query)
  const filters: Filters = {
    pool: params.get('pool') ?? '',
    health: params.get('health') ?? '',
    search: params.get('search') ?? '',
  }
  const active = loaded.answer?.data.activeTargets ?? []
  const dropped = loaded.answer?.data.droppedTargets ?? []
  const inPool = (target: { readonly scrapePool?: string }): boolean =>
    filters.pool === '' || target.scrapePool === filters.pool
  const counts = Object.values(loaded.answer?.data.droppedTargetCounts ?? {}).reduce((sum, count) => sum + count, 0)
  const shown = active.filter((target) => inPool(target) && (filters.health === '' || target.health === filters.health))
  return (
    <>
      <h1 class="offscreen">Targets</h1>
      <ListFailure failure={loaded.failure} what="targets" />
      <FilterBar filters={filters} active={active} dropped={dropped} />
      <List
        title="Active targets"
        loaded={loaded}
        items={shown}
        total={active.length}
        search={filters.search}
        columns={useActiveColumns()}
        none="No target is configured here. Agents bring their own: see Agents."
        detail={{
          id: (target) => `${target.scrapePool} ${target.scrapeUrl} ${formatSeries(target.labels)}`,
          title: 'Labels before and after relabelling',
          content: (target) => <Relabelling target={target} />,
        }}
      />
      {(dropped.length > 0 || counts > 0) && (
        <List
          title="Targets dropped by relabelling"
          loaded={loaded}
          items={dropped.filter(inPool)}
          total={Math.max(counts, dropped.length)}
          search={filters.search}
          columns={DROPPED_COLUMNS}
          none=""
        />
      )}
    </>
  )
}

type FilterBarProps = {
  readonly filters: Filters
  readonly active: readonly Target[]
  readonly dropped: readonly DroppedTarget[]
}

function FilterBar({ filters, active, dropped }: FilterBarProps) {
  const change = (next: Partial<Filters>): void => {
    const kept = Object.entries({ ...filters, ...next }).filter(([, value]) => value !== '')
    go('targets', new URLSearchParams(kept).toString(), { replaces: next.search !== undefined })
  }
  const pools = [...new Set([...active, ...dropped].map(({ scrapePool = '' }) => scrapePool))].sort()
  const healths = [...new Set([...active.map(({ health }) => health), 'up', 'down', 'unknown'])].sort()
  const count = (wanted: string): number => active.filter(({ health }) => health === wanted).length
  const down = count('down')
  return (
    <div class="tools">
      <label class="setting-inline">
        Pool{' '}
        <select value={filters.pool} onChange={(event) => change({ pool: event.currentTarget.value })}>
          <option value="">all</option>
          {pools.map((pool) => (
            <option key={pool} value={pool}>
              {pool}
            </option>
          ))}
        </select>
      </label>
      <label class="setting-inline">
        Health{' '}
        <select value={filters.health} onChange={(event) => change({ health: event.currentTarget.value })}>
          <option value="">all</option>
          {healths.map((health) => (
            <option key={health} value={health}>
              {`${health} (${count(health)})`}
            </option>
          ))}
        </select>
      </label>
      <label class="setting-inline">
        Search{' '}
        <input
          type="search"
          placeholder="labels, endpoint, error"
          value={filters.search}
          onInput={(event) => change({ search: event.currentTarget.value })}
        />
      </label>
      {down > 0 && <span class="state crit">◆ {down} down</span>}
    </div>
  )
}

function useActiveColumns(): readonly Column<Target>[] {
  const { settings } = useSettings()
  return [
    { title: 'Pool', text: (target) => target.scrapePool, cell: (target) => target.scrapePool },
    { title: 'Health', text: (target) => target.health, cell: (target) => <State state={target.health} /> },
    {
      title: 'Endpoint',
      class: 'mono',
      text: (target) => target.scrapeUrl,
      // Text, not a link: a scrape URL may lead anywhere.
      cell: (target) => target.scrapeUrl,
    },
    {
      title: 'Labels',
      class: 'series',
      text: (target) => formatSeries(target.labels),
      cell: (target) => <SeriesName labels={target.labels} />,
    },
    {
      title: 'Last scrape',
      text: (target) => instant(target.lastScrape) ?? 0,
      cell: (target) => <Ago timeMs={instant(target.lastScrape)} zone={settings.zone} />,
    },
    {
      title: 'Took',
      class: 'number',
      text: (target) => target.lastScrapeDuration ?? 0,
      cell: (target) => `${((target.lastScrapeDuration ?? 0) * 1000).toFixed(1)} ms`,
    },
    { title: 'Interval', class: 'number', cell: (target) => target.scrapeInterval ?? '' },
    {
      title: 'Error',
      class: 'error',
      text: (target) => `${target.lastError ?? ''} ${target.warning ?? ''}`,
      cell: (target) => (
        <>
          <span class="error-text">{target.lastError ?? ''}</span>
          {target.warning && <div class="warning-text">▲ {target.warning}</div>}
        </>
      ),
    },
  ]
}

const DROPPED_COLUMNS: readonly Column<DroppedTarget>[] = [
  { title: 'Pool', text: ({ scrapePool = '' }) => scrapePool, cell: ({ scrapePool = '' }) => scrapePool },
  {
    title: 'Discovered labels',
    class: 'series',
    text: ({ discoveredLabels }) => formatSeries(discoveredLabels),
    cell: ({ discoveredLabels }) => <SeriesName labels={discoveredLabels} />,
  },
  {
    title: 'Dropped by',
    class: 'mono',
    text: ({ droppedBy = '' }) => droppedBy,
    cell: ({ droppedBy }) => droppedBy ?? 'not told',
  },
]

const MARKS = { changed: '≠ changed', added: '+ added', removed: '− removed', kept: '= kept', internal: '○ internal' }

function Relabelling({ target }: { readonly target: Target }) {
  if (!target.discoveredLabels) return <p class="note">This server does not tell the labels before relabelling.</p>
  return (
    <table class="rows relabelling" aria-label="Labels before and after relabelling">
      <thead>
        <tr>
          <th scope="col">Label</th>
          <th scope="col">Before</th>
          <th scope="col">After</th>
          <th scope="col">Relabelling</th>
        </tr>
      </thead>
      <tbody>
        {labelChanges(target.discoveredLabels, target.labels).map(({ name, before, after, kind }) => (
          <tr key={name} class={`label-${kind}`}>
            <td class="mono">{name}</td>
            <td class="mono">{before ?? '–'}</td>
            <td class="mono">{after ?? '–'}</td>
            <td>{MARKS[kind]}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
