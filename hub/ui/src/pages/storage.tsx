/** The storage: what makes the head large, the blocks with their ranges and sizes, and what is damaged. */
import { useState } from 'preact/hooks'
import type { Block, BlocksData, Damage, NamedCount, TsdbData } from '../api/types.ts'
import { formatDuration } from '../logic/duration.ts'
import { formatBytes, formatCount, plural } from '../logic/format.ts'
import { quote } from '../logic/labels.ts'
import { formatTime, type Zone } from '../logic/time.ts'
import { Facts } from '../query/facts.tsx'
import { Measure } from '../query/measure.tsx'
import { go } from '../state/router.ts'
import { useSettings } from '../state/settings.ts'
import { DEFAULT_PANEL, encodePanels } from '../state/url-state.ts'
import { type Column, List, ListFailure, State, useList } from './list-page.tsx'

const TOP_COUNTS = [10, 50, 500] as const
/** What a Date can hold; an empty head tells the ends of int64. */
const MAX_TIME_MS = 8.64e15

export function StorageSections({ tick }: { readonly tick: number }) {
  return (
    <>
      <HeadSection tick={tick} />
      <BlocksSection tick={tick} />
    </>
  )
}

type TopList = {
  readonly key: keyof Omit<TsdbData, 'headStats'>
  readonly title: string
  readonly unit: 'series' | 'values' | 'bytes'
}
const TOP_LISTS: readonly TopList[] = [
  { key: 'seriesCountByMetricName', title: 'Series by metric name', unit: 'series' },
  { key: 'seriesCountByLabelValuePair', title: 'Series by label pair', unit: 'series' },
  { key: 'labelValueCountByLabelName', title: 'Values by label name', unit: 'values' },
  { key: 'memoryInBytesByLabelName', title: 'Bytes by label name', unit: 'bytes' },
]

function HeadSection({ tick }: { readonly tick: number }) {
  const { settings } = useSettings()
  const [top, setTop] = useState<number>(TOP_COUNTS[0])
  const loaded = useList<TsdbData>(`status/tsdb?limit=${top}`, tick)
  const { headStats, ...lists } = loaded.answer?.data ?? {}
  const seriesCount = headStats?.numSeries ?? 0
  const facts: readonly (readonly [string, string])[] = headStats
    ? [
        ['series', formatCount(seriesCount)],
        ['label pairs', formatCount(headStats.numLabelPairs ?? 0)],
        ['chunks', formatCount(headStats.chunkCount ?? 0)],
        ['oldest sample', timeText(headStats.minTime, settings.zone)],
        ['newest sample', timeText(headStats.maxTime, settings.zone)],
      ]
    : []
  return (
    <>
      <section class="panel" aria-label="TSDB head">
        <div class="tools">
          <h2>TSDB head</h2>
          <span class="spring" />
          <label class="setting-inline">
            Show the top{' '}
            <select value={top} onChange={(event) => setTop(Number(event.currentTarget.value))}>
              {TOP_COUNTS.map((count) => (
                <option key={count} value={count}>
                  {count}
                </option>
              ))}
            </select>
          </label>
        </div>
        <ListFailure failure={loaded.failure} what="storage status" />
        <Facts facts={facts} />
      </section>
      <div class="columns">
        {TOP_LISTS.map((list) => {
          const items = lists[list.key] ?? []
          return (
            <div key={list.key}>
              <List
                title={list.title}
                loaded={loaded}
                items={items}
                columns={topColumns(list, items, seriesCount)}
                none="Nothing there."
                extra={items.length >= top && <span class="facts">the {top} largest; there may be more</span>}
              />
            </div>
          )
        })}
      </div>
    </>
  )
}

function topColumns(
  { key, unit }: TopList,
  items: readonly NamedCount[],
  seriesCount: number,
): readonly Column<NamedCount>[] {
  const largest = Math.max(1, ...items.map(({ value }) => value))
  const whole = unit === 'series' ? Math.max(1, seriesCount) : largest
  const text = ({ value }: NamedCount): string => {
    if (unit === 'bytes') return formatBytes(value)
    return unit === 'series' ? `${formatCount(value)} · ${Math.round((100 * value) / whole)} %` : formatCount(value)
  }
  return [
    {
      title: 'Name',
      class: 'mono',
      text: ({ name }) => name,
      cell: ({ name }) =>
        key === 'seriesCountByMetricName' ? (
          <button
            type="button"
            class="link"
            title="Show its series"
            onClick={() => go('query', encodePanels([{ ...DEFAULT_PANEL, expr: `{__name__=${quote(name)}}` }]))}
          >
            {name}
          </button>
        ) : (
          name
        ),
    },
    {
      title: unit === 'bytes' ? 'Size' : unit === 'series' ? 'Series' : 'Values',
      text: ({ value }) => value,
      cell: (item) => <Measure share={item.value / whole} text={text(item)} isOwn />,
    },
  ]
}

function BlocksSection({ tick }: { readonly tick: number }) {
  const { settings } = useSettings()
  const loaded = useList<BlocksData>('status/tsdb/blocks', tick)
  const { blocks = [], damaged } = loaded.answer?.data ?? {}
  const found = damaged?.found ?? []
  const bytes = blocks.reduce((sum, { stats }) => sum + (stats?.numBytes ?? 0), 0)
  return (
    <>
      <ListFailure failure={loaded.failure} what="list of blocks" />
      {damaged && (damaged.blocks ?? 0) + (damaged.runs ?? 0) + found.length > 0 && (
        <>
          <div class="message crit" role="alert">
            <strong>Damaged data</strong> {plural(damaged.blocks ?? 0, 'block')} and {plural(damaged.runs ?? 0, 'run')}{' '}
            of samples failed their checksums and are not served; the rest is. <code>heliograph-hub tsdb repair</code>{' '}
            sets them aside.
          </div>
          {found.length > 0 && <List title="Damage" loaded={loaded} items={found} columns={DAMAGE_COLUMNS} none="" />}
        </>
      )}
      {loaded.failure?.status !== 404 && (
        <List
          title="Blocks"
          loaded={loaded}
          items={blocks}
          columns={blockColumns(settings.zone, new Set(found.map(({ block }) => block)))}
          none="No block is written yet: the head holds everything."
          extra={blocks.length > 0 && <span class="facts">{formatBytes(bytes)} in all</span>}
        />
      )}
    </>
  )
}

const DAMAGE_COLUMNS: readonly Column<Damage>[] = [
  { title: 'Block', class: 'mono', text: ({ block }) => block, cell: ({ block }) => block },
  { title: 'Piece', class: 'mono', text: ({ piece }) => piece, cell: ({ piece }) => piece },
  { title: 'Why', class: 'wrap', text: ({ why }) => why, cell: ({ why }) => why },
]

function resolutions({ downsampled = [], stats }: Block): string {
  const windows = downsampled.map(({ widthMs }) => formatDuration(widthMs))
  return [...(stats?.numSamples === 0 ? [] : ['raw']), ...windows].join(', ')
}

function blockColumns(zone: Zone, damaged: ReadonlySet<string>): readonly Column<Block>[] {
  const count = (title: string, of: (block: Block) => number): Column<Block> => ({
    title,
    class: 'number',
    text: of,
    cell: (block) => formatCount(of(block)),
  })
  return [
    { title: 'Block', class: 'mono', text: ({ ulid }) => ulid, cell: ({ ulid }) => ulid },
    {
      title: 'State',
      text: ({ ulid }) => (damaged.has(ulid) ? 'damaged' : 'ok'),
      cell: ({ ulid }) => <State state={damaged.has(ulid) ? 'damaged' : 'ok'} />,
    },
    { title: 'From', class: 'time', text: ({ minTime }) => minTime, cell: ({ minTime }) => timeText(minTime, zone) },
    { title: 'To', class: 'time', text: ({ maxTime }) => maxTime, cell: ({ maxTime }) => timeText(maxTime, zone) },
    {
      title: 'Length',
      class: 'number',
      text: ({ minTime, maxTime }) => maxTime - minTime,
      cell: ({ minTime, maxTime }) => formatDuration(Math.round((maxTime - minTime) / 1000) * 1000),
    },
    count('Level', ({ compaction }) => compaction?.level ?? 1),
    {
      title: 'Resolution',
      text: (block) => resolutions(block),
      cell: (block) => resolutions(block),
    },
    count('Series', ({ stats }) => stats?.numSeries ?? 0),
    count('Samples', ({ stats }) => stats?.numSamples ?? 0),
    {
      title: 'Size',
      class: 'number',
      text: ({ stats }) => stats?.numBytes ?? 0,
      cell: ({ stats }) => (stats?.numBytes === undefined ? '–' : formatBytes(stats.numBytes)),
    },
    {
      title: 'Bytes a sample',
      class: 'number',
      text: perSample,
      cell: (block) => (perSample(block) === 0 ? '–' : perSample(block).toFixed(2)),
    },
  ]
}

function perSample({ stats }: Block): number {
  return stats?.numBytes && stats.numSamples ? stats.numBytes / stats.numSamples : 0
}

function timeText(timeMs: number | undefined, zone: Zone): string {
  return timeMs === undefined || Math.abs(timeMs) > MAX_TIME_MS ? '–' : formatTime(timeMs, zone)
}
