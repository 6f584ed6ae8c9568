/** Targets of the server's own scrape configuration. */

import type { Target, TargetsData } from '../api/types.ts'
import type { PageProps } from '../app.tsx'
import { plural } from '../logic/format.ts'
import { formatSeries } from '../logic/labels.ts'
import { SeriesName } from '../query/series-name.tsx'
import { useSettings } from '../state/settings.ts'
import { Ago, type Column, instant, List, ListFailure, State, useList } from './list-page.tsx'

export function TargetsPage({ tick }: PageProps) {
  const { settings } = useSettings()
  const loaded = useList<TargetsData>('targets', tick)
  const targets = loaded.answer?.data.activeTargets ?? []
  const down = targets.filter(({ health }) => health === 'down').length
  const dropped = Object.values(loaded.answer?.data.droppedTargetCounts ?? {}).reduce((sum, count) => sum + count, 0)
  const columns: readonly Column<Target>[] = [
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
      class: 'error-text',
      text: (target) => target.lastError ?? '',
      cell: (target) => target.lastError ?? '',
    },
  ]
  return (
    <>
      <h1 class="offscreen">Targets</h1>
      <ListFailure failure={loaded.failure} what="targets" />
      <List
        title="Targets"
        loaded={loaded}
        items={targets}
        columns={columns}
        none="No target is configured here. Agents bring their own: see Agents."
        extra={
          <>
            {down > 0 && <span class="state crit">◆ {down} down</span>}
            {dropped > 0 && <span class="facts">{plural(dropped, 'target')} dropped by relabelling</span>}
          </>
        }
      />
    </>
  )
}
