/** The series of a plot with their colours and extremes. A click shows one alone, with Ctrl or Shift it toggles one. */
import { useMemo, useState } from 'preact/hooks'
import { type Aligned, type RowSummary, summarize } from '../logic/align.ts'
import { formatCount, formatSi } from '../logic/format.ts'
import { formatSeries, type LabelSet } from '../logic/labels.ts'
import { DASHES, PALETTES, type Slot } from '../logic/palette.ts'
import { useSettings } from '../state/settings.ts'
import { SeriesName } from './series-name.tsx'

const MAX_ROWS = 200
const FIGURES = ['last', 'min', 'mean', 'max'] as const satisfies readonly (keyof RowSummary)[]
type Figure = (typeof FIGURES)[number]

type Props = {
  readonly aligned: Aligned
  readonly slots: readonly Slot[]
  readonly keys: readonly string[]
  readonly common: LabelSet
  readonly hidden: ReadonlySet<string>
  onHide(hidden: ReadonlySet<string>): void
  /** The series under the pointer or the focus; null = none. */
  onPoint(index: number | null): void
}

export function Legend({ aligned, slots, keys, common, hidden, onHide, onPoint }: Props) {
  const { theme } = useSettings()
  const [sortBy, setSortBy] = useState<Figure | null>(null)
  const summaries = useMemo(() => aligned.ys.map(summarize), [aligned])
  const order = useMemo(() => rowOrder(summaries, sortBy).slice(0, MAX_ROWS), [summaries, sortBy])
  const choose = (key: string, toggles: boolean): void => {
    const next = new Set(hidden)
    if (toggles) {
      if (!next.delete(key)) next.add(key)
      onHide(next)
      return
    }
    const isAlone = !hidden.has(key) && hidden.size === keys.length - 1
    onHide(isAlone ? new Set() : new Set(keys.filter((other) => other !== key)))
  }
  return (
    <div class="legend">
      {Object.keys(common).length > 0 && (
        <p class="facts common">
          all: <SeriesName labels={common} />
        </p>
      )}
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col" class="series">
                {keys.length > MAX_ROWS
                  ? `Series: showing ${MAX_ROWS} of ${formatCount(keys.length)}`
                  : `${formatCount(keys.length)} series`}
              </th>
              {FIGURES.map((name) => (
                <th key={name} scope="col" aria-sort={sortBy === name ? 'descending' : 'none'}>
                  <button type="button" onClick={() => setSortBy(sortBy === name ? null : name)}>
                    {name} {sortBy === name && <span aria-hidden="true">↓</span>}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {order.map((index) => {
              const key = keys[index]!
              const summary = summaries[index]
              const labels = aligned.labels[index]!
              return (
                <tr
                  key={key}
                  class={hidden.has(key) ? 'off' : ''}
                  onMouseEnter={() => onPoint(index)}
                  onMouseLeave={() => onPoint(null)}
                >
                  <td class="series">
                    <button
                      type="button"
                      aria-pressed={!hidden.has(key)}
                      aria-label={formatSeries(labels)}
                      title="Click: only this one. Ctrl+click: on or off"
                      onFocus={() => onPoint(index)}
                      onBlur={() => onPoint(null)}
                      onClick={(event) => choose(key, event.ctrlKey || event.metaKey || event.shiftKey)}
                    >
                      <Swatch slot={slots[index]!} palette={PALETTES[theme]} />
                      <SeriesName labels={labels} hide={common} />
                    </button>
                  </td>
                  {FIGURES.map((name) => (
                    <td key={name}>{summary ? formatSi(summary[name]) : '–'}</td>
                  ))}
                </tr>
              )
            })}
          </tbody>
        </table>
      </div>
    </div>
  )
}

/** The answer's order, or the largest first; series without a value last. */
function rowOrder(summaries: readonly (RowSummary | null)[], by: Figure | null): number[] {
  const order = summaries.map((_, index) => index)
  const value = (index: number): number => summaries[index]?.[by!] ?? -Infinity
  return by === null ? order : order.sort((a, b) => value(b) - value(a) || a - b)
}

function Swatch({ slot, palette }: { readonly slot: Slot; readonly palette: readonly string[] }) {
  const dash = DASHES[slot.dash]!
  return (
    <svg width="18" height="10" viewBox="0 0 18 10" aria-hidden="true" class="swatch">
      <line
        x1="0"
        x2="18"
        y1="5"
        y2="5"
        stroke={palette[slot.color]}
        stroke-width="3"
        stroke-dasharray={dash.length > 0 ? dash.join(' ') : undefined}
      />
    </svg>
  )
}
