/** What the simple pages share: one API answer, its states, a filter, and a bounded table. */
import { type ComponentChildren, Fragment } from 'preact'
import { useState } from 'preact/hooks'
import { type ApiFailure, callApi } from '../api/client.ts'
import { formatAge } from '../logic/duration.ts'
import { formatCount, plural } from '../logic/format.ts'
import { formatTime, type Zone } from '../logic/time.ts'
import { LoadingBar } from '../query/states.tsx'
import { type Loaded, useApi } from '../state/use-api.ts'

const ROWS_STEP = 500

export function useList<Data>(path: string, tick: number): Loaded<Data> {
  return useApi<Data>(path, tick, (signal) => callApi<Data>(path, { signal }))
}

export function ListFailure({ failure, what }: { readonly failure: ApiFailure | null; readonly what: string }) {
  if (!failure) return null
  if (failure.status === 404) return <p class="note">This server has no {what}.</p>
  return (
    <div class="message crit" role="alert">
      <strong>Error</strong> <span class="tag">{failure.kind}</span> <span class="wrap">{failure.message}</span>
    </div>
  )
}

export type Column<Item> = {
  readonly title: string
  readonly class?: string
  cell(item: Item): ComponentChildren
  /** What the filter reads and the sort compares; without it the column does neither. */
  text?(item: Item): string | number
}

type ListProps<Item> = {
  readonly title: string
  readonly loaded: Loaded<unknown>
  readonly items: readonly Item[]
  readonly columns: readonly Column<Item>[]
  /** Said when there is nothing at all. */
  readonly none: string
  readonly extra?: ComponentChildren
  /** Between the title and the table. */
  readonly head?: ComponentChildren
  /** The reader's filter where the page has one for several lists; else the list has its own. */
  readonly search?: string
  /** Of which `items` are those that the page's own filters left. */
  readonly total?: number
  readonly detail?: Detail<Item>
}

/** What a row unfolds to. */
export type Detail<Item> = {
  /** Names the row over refreshes. */
  id(item: Item): string
  readonly title: string
  content(item: Item): ComponentChildren
}

export function List<Item>({
  title,
  loaded,
  items,
  columns,
  none,
  extra,
  head,
  search,
  total = items.length,
  detail,
}: ListProps<Item>) {
  const [filter, setFilter] = useState('')
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set())
  const [sort, setSort] = useState<{ readonly column: number; readonly isDescending: boolean } | null>(null)
  const [limit, setLimit] = useState(ROWS_STEP)
  const wanted = (search ?? filter).trim().toLowerCase()
  const matching =
    wanted === ''
      ? items
      : items.filter((item) =>
          columns.some((column) =>
            String(column.text?.(item) ?? '')
              .toLowerCase()
              .includes(wanted),
          ),
        )
  const sorted = sort ? sortItems(matching, columns[sort.column]!, sort.isDescending) : matching
  const shown = sorted.slice(0, limit)
  return (
    <section class="panel list" aria-label={title}>
      <div class="tools">
        <h2>{title}</h2>
        <span class="facts" role="status">
          {shown.length < total
            ? `showing ${formatCount(shown.length)} of ${formatCount(total)}`
            : loaded.answer && plural(total, 'row')}
        </span>
        {extra}
        <span class="spring" />
        {search === undefined && (
          <label class="field">
            <span class="offscreen">Filter {title.toLowerCase()}</span>
            <input
              type="search"
              placeholder="Filter"
              value={filter}
              onInput={(event) => setFilter(event.currentTarget.value)}
            />
          </label>
        )}
      </div>
      <LoadingBar startedMs={loaded.startedMs} />
      {head}
      {loaded.answer && total === 0 && <p class="empty">{none}</p>}
      {shown.length > 0 && (
        <div class="scroll">
          <table class="rows">
            <thead>
              <tr>
                {detail && (
                  <th scope="col" class="fold">
                    <span class="offscreen">{detail.title}</span>
                  </th>
                )}
                {columns.map((column, index) => (
                  <th
                    key={column.title}
                    scope="col"
                    class={column.class}
                    aria-sort={sort?.column !== index ? 'none' : sort.isDescending ? 'descending' : 'ascending'}
                  >
                    {column.text ? (
                      <button
                        type="button"
                        onClick={() =>
                          setSort({ column: index, isDescending: sort?.column === index && !sort.isDescending })
                        }
                      >
                        {column.title}{' '}
                        <span aria-hidden="true">{sort?.column !== index ? '↕' : sort.isDescending ? '↓' : '↑'}</span>
                      </button>
                    ) : (
                      column.title
                    )}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {shown.map((item, index) => (
                <Fragment key={detail ? detail.id(item) : index}>
                  <tr>
                    {detail && (
                      <td class="fold">
                        <button
                          type="button"
                          class="fold"
                          aria-expanded={open.has(detail.id(item))}
                          aria-label={detail.title}
                          title={detail.title}
                          onClick={() => setOpen(toggled(open, detail.id(item)))}
                        >
                          {open.has(detail.id(item)) ? '▾' : '▸'}
                        </button>
                      </td>
                    )}
                    {columns.map((column) => (
                      <td key={column.title} class={column.class}>
                        {column.cell(item)}
                      </td>
                    ))}
                  </tr>
                  {detail && open.has(detail.id(item)) && (
                    <tr class="detail">
                      <td class="fold" />
                      <td colSpan={columns.length}>{detail.content(item)}</td>
                    </tr>
                  )}
                </Fragment>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {shown.length < sorted.length && (
        <button type="button" class="more" onClick={() => setLimit(limit + ROWS_STEP)}>
          Show {formatCount(Math.min(ROWS_STEP, sorted.length - shown.length))} more
        </button>
      )}
    </section>
  )
}

function toggled(open: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const next = new Set(open)
  if (!next.delete(id)) next.add(id)
  return next
}

function sortItems<Item>(items: readonly Item[], column: Column<Item>, isDescending: boolean): readonly Item[] {
  const sign = isDescending ? -1 : 1
  return [...items].sort((left, right) => {
    const a = column.text?.(left) ?? ''
    const b = column.text?.(right) ?? ''
    if (typeof a === 'number' && typeof b === 'number') return sign * (a - b)
    return sign * String(a).localeCompare(String(b), 'en', { numeric: true })
  })
}

/** A state is a word and a shape, never a colour alone. */
export function State({ state, kind = KINDS[state] ?? 'unknown' }: { readonly state: string; readonly kind?: Kind }) {
  return (
    <span class={`state ${kind}`}>
      <span aria-hidden="true">{SHAPES[kind]}</span> {state}
    </span>
  )
}

type Kind = 'good' | 'warn' | 'crit' | 'unknown'
const KINDS: Readonly<Record<string, Kind>> = {
  up: 'good',
  ok: 'good',
  approved: 'good',
  live: 'good',
  inactive: 'good',
  pending: 'warn',
  late: 'warn',
  missed: 'warn',
  lost: 'crit',
  damaged: 'crit',
  down: 'crit',
  err: 'crit',
  firing: 'crit',
  revoked: 'crit',
}
const SHAPES: Readonly<Record<Kind, string>> = { good: '●', warn: '▲', crit: '◆', unknown: '○' }

/** RFC 3339 to milliseconds; null for Go's zero time, which means "never". */
export function instant(text: string | undefined): number | null {
  const ms = Date.parse(text ?? '')
  return Number.isNaN(ms) || ms <= 0 ? null : ms
}

export function Ago({ timeMs, zone }: { readonly timeMs: number | null; readonly zone: Zone }) {
  if (timeMs === null) return <>never</>
  return <time title={formatTime(timeMs, zone)}>{formatAge(Date.now() - timeMs)} ago</time>
}
