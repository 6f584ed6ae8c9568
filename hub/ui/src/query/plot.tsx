/**
 * The plot. uPlot keeps axes, cursor and selection; lines come from line-path.ts. Colours of the canvas are read from
 * the style sheet's custom properties, so a theme is defined once.
 */
import type { RefObject } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import { type Aligned, type Grid, summarize } from '../logic/align.ts'
import { axisValues, formatCount, formatSi, plural } from '../logic/format.ts'
import { formatSeries, type LabelSet } from '../logic/labels.ts'
import { linePath } from '../logic/line-path.ts'
import { DASHES, MAX_SLOTS, PALETTES, type Slot } from '../logic/palette.ts'
import { axisLabels, formatOffset, formatTime } from '../logic/time.ts'
import { useSettings } from '../state/settings.ts'
import { createTooltip, type TooltipItem } from './tooltip.ts'

const HEIGHT = 320
const MAX_TOOLTIP_ROWS = 8

type Props = {
  readonly aligned: Aligned
  readonly grid: Grid
  readonly slots: readonly Slot[]
  readonly keys: readonly string[]
  /** Labels that all series share: not worth a place in every row. */
  readonly common: LabelSet
  readonly hidden: ReadonlySet<string>
  readonly yMin: number | null
  readonly isDimmed: boolean
  onZoom(startMs: number, endMs: number): void
  /** Set by the plot: raises one series above the others. */
  readonly highlight: RefObject<((index: number | null) => void) | null>
}

export function Plot(props: Props) {
  const { aligned, grid, slots, keys, hidden, yMin, isDimmed, highlight } = props
  const { settings, theme } = useSettings()
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const drawn = useRef<Aligned | null>(null)
  const latest = useRef(props)
  latest.current = props
  const [spoken, setSpoken] = useState('')
  const captionId = useId()
  // A new set of series, theme, zone or axis is a new plot; new samples of the same series are not.
  const shape = `${theme} ${settings.zone} ${yMin} ${keys.join('\n')}`

  useEffect(() => {
    const parent = box.current!
    const created = createPlot(parent, latest, { slots, yMin, theme, zone: settings.zone })
    plot.current = created
    drawn.current = latest.current.aligned
    const observer = new ResizeObserver(() => created.setSize({ width: parent.clientWidth, height: HEIGHT }))
    observer.observe(parent)
    highlight.current = (index) => created.setSeries(index === null ? null : index + 1, { focus: index !== null })
    return () => {
      observer.disconnect()
      highlight.current = null
      created.destroy()
      plot.current = null
    }
  }, [shape])
  useEffect(() => {
    if (drawn.current === aligned) return
    drawn.current = aligned
    plot.current?.setData([aligned.xs as number[], ...(aligned.ys as (number | null)[][])])
  }, [aligned, grid])
  useEffect(() => {
    const u = plot.current
    if (!u) return
    u.batch(() => {
      for (const [index, key] of keys.entries())
        if (u.series[index + 1]!.show === hidden.has(key)) u.setSeries(index + 1, { show: !hidden.has(key) })
    })
  }, [hidden, shape])

  /** Arrow keys walk the steps; what stands there is said aloud. */
  const walk = (direction: number): void => {
    const u = plot.current
    if (!u) return
    const from = u.cursor.idx ?? (direction > 0 ? -1 : aligned.xs.length)
    const step = Math.min(aligned.xs.length - 1, Math.max(0, from + direction))
    u.setCursor({ left: u.valToPos(aligned.xs[step]!, 'x'), top: u.over.clientHeight / 2 })
    setSpoken(describeStep(aligned, hidden, keys, step, formatTime(aligned.xs[step]! * 1000, settings.zone)))
  }

  return (
    <figure class={`plot${isDimmed ? ' dimmed' : ''}`} aria-labelledby={captionId}>
      {/* biome-ignore lint/a11y/useSemanticElements: a canvas with keys of its own has no element of its kind */}
      <div
        ref={box}
        role="group"
        aria-label="Graph: left and right arrows read the values"
        class="plot-box"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys move the cursor of the graph
        tabIndex={0}
        onKeyDown={(event) => {
          const steps = event.shiftKey ? 10 : 1
          if (event.key === 'ArrowRight') walk(steps)
          else if (event.key === 'ArrowLeft') walk(-steps)
          else if (event.key === 'Escape') plot.current?.setCursor({ left: -10, top: -10 })
          else return
          event.preventDefault()
        }}
      />
      <figcaption id={captionId} class="offscreen">
        {describe(aligned, grid, settings.zone)}
      </figcaption>
      <span class="offscreen" aria-live="polite">
        {spoken}
      </span>
    </figure>
  )
}

type Look = Pick<Props, 'slots' | 'yMin'> & { readonly theme: 'light' | 'dark'; readonly zone: 'utc' | 'local' }

function createPlot(parent: HTMLElement, latest: { readonly current: Props }, look: Look): uPlot {
  const css = readStyle(parent)
  const colors = look.slots.map((slot) => PALETTES[look.theme][slot.color]!)
  const isFew = look.slots.length <= MAX_SLOTS
  const axis = {
    stroke: css.color('--ink-2'),
    font: `11px ${css.sans}`,
    grid: { stroke: css.color('--grid'), width: 1 },
    ticks: { stroke: css.color('--grid'), width: 1, size: 4 },
  }
  const options: uPlot.Options = {
    width: parent.clientWidth,
    height: HEIGHT,
    padding: [8, 20, 0, 0],
    ...(look.zone === 'utc' && { tzDate: (seconds: number) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC') }),
    legend: { show: false },
    // Below 1 every move of the pointer to another line draws all of them again.
    focus: { alpha: isFew ? 0.25 : 1 },
    scales: {
      x: {
        time: true,
        range: () => [latest.current.grid.startMs / 1000, latest.current.grid.endMs / 1000],
      },
      y: { range: (_, low, high) => yRange(low, high, look.yMin) },
    },
    axes: [
      { ...axis, space: 70, values: (_, splits, _axis, _space, incr) => axisLabels(splits, incr, look.zone), size: 40 },
      { ...axis, space: 34, size: axisWidth, values: (_, splits, _axis, _space, incr) => axisValues(splits, incr) },
    ],
    series: [
      {},
      ...look.slots.map((slot, index) => ({
        stroke: colors[index]!,
        width: isFew ? 1.5 : 1,
        dash: [...DASHES[slot.dash]!],
        points: { show: false },
        paths: drawLine,
      })),
    ],
    cursor: {
      y: false,
      focus: { prox: 24 },
      points: { one: true, size: 7 },
      drag: { x: true, y: false, setScale: false, dist: 4 },
      bind: { dblclick: () => () => null },
      sync: { key: 'heliograph', filters: { pub: isHover, sub: isHover } },
    },
  }
  const plot: { tooltip: ReturnType<typeof createTooltip> | null } = { tooltip: null }
  options.hooks = {
    ready: [
      (u) => {
        plot.tooltip = createTooltip(u.over)
      },
    ],
    setCursor: [(u) => plot.tooltip && updateTooltip(u, plot.tooltip, latest.current, colors, look.zone)],
    setSelect: [
      (u) => {
        if (u.select.width < 4) return
        const startMs = u.posToVal(u.select.left, 'x') * 1000
        const endMs = u.posToVal(u.select.left + u.select.width, 'x') * 1000
        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
        latest.current.onZoom(startMs, endMs)
      },
    ],
  }
  const { aligned } = latest.current
  return new uPlot(options, [aligned.xs as number[], ...(aligned.ys as (number | null)[][])], parent)
}

/** A canvas knows no custom properties and no light-dark(): a probe element resolves them. */
function readStyle(parent: HTMLElement): { readonly sans: string; color(name: string): string } {
  return {
    sans: getComputedStyle(parent).fontFamily,
    color: (name) => {
      const probe = document.createElement('span')
      probe.style.color = `var(${name})`
      parent.append(probe)
      const { color } = getComputedStyle(probe)
      probe.remove()
      return color
    },
  }
}

/** Neighbouring graphs follow the pointer, not the selection. */
const isHover = (type: string): boolean => type === 'mousemove' || type === 'mouseleave'

/** Room above and below; flat lines get some too; an asked-for minimum is kept exactly. */
function yRange(low: number | null, high: number | null, yMin: number | null): [number, number] {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high))
    return [yMin ?? 0, (yMin ?? 0) + 1]
  const bottom = yMin === null ? low : Math.min(yMin, high)
  const size = high - bottom
  const margin = size > 0 ? size * 0.06 : Math.abs(high) * 0.1 || 1
  // A line that never goes below zero is not given an axis that does.
  const floor = bottom >= 0 && bottom - margin < 0 ? 0 : bottom - margin
  return [yMin === null ? floor : bottom, high + margin]
}

function axisWidth(_: uPlot, values: readonly string[] | null): number {
  const longest = (values ?? []).reduce((max, text) => Math.max(max, text.length), 0)
  return Math.max(40, 16 + longest * 6.5)
}

const drawLine: uPlot.Series.PathBuilder = (u, seriesIndex, from, to) => {
  const path = new Path2D()
  linePath(path, {
    xs: u.data[0],
    ys: u.data[seriesIndex]!,
    from,
    to,
    x: affine(u, 'x'),
    y: affine(u, 'y'),
    dotRadius: 1.5 * uPlot.pxRatio,
  })
  // No clip: that is the point. `flags` says what a clip would apply to.
  return { stroke: path, fill: null, clip: null, band: null, flags: 0 }
}

function affine(u: uPlot, key: 'x' | 'y'): { factor: number; offset: number } {
  const { min, max } = u.scales[key]!
  const at = u.valToPos(min!, key, true)
  const factor = (u.valToPos(max!, key, true) - at) / (max! - min!)
  return { factor, offset: at - min! * factor }
}

function updateTooltip(
  u: uPlot,
  tooltip: ReturnType<typeof createTooltip>,
  { aligned, common }: Props,
  colors: readonly string[],
  zone: 'utc' | 'local',
): void {
  const { left = -1, top = -1, idx } = u.cursor
  // A synced neighbour shows its line only: one box on the page is enough.
  const isHere = u.over.matches(':hover') || u.root.parentElement === document.activeElement
  if (left < 0 || idx === null || idx === undefined || !isHere) {
    tooltip.hide()
    return
  }
  const wanted = u.posToVal(top, 'y')
  const near: { index: number; distance: number }[] = []
  for (let index = 0; index < aligned.ys.length; index++) {
    const value = aligned.ys[index]![idx]
    if (value === null || value === undefined || !u.series[index + 1]!.show) continue
    near.push({ index, distance: Math.abs(value - wanted) })
  }
  near.sort((a, b) => a.distance - b.distance)
  const items: TooltipItem[] = near.slice(0, MAX_TOOLTIP_ROWS).map(({ index }) => ({
    labels: aligned.labels[index]!,
    value: aligned.ys[index]![idx]!,
    color: colors[index]!,
  }))
  const timeMs = Math.round(aligned.xs[idx]! * 1000)
  const time = `${formatTime(timeMs, zone)} ${formatOffset(timeMs, zone)}${items.length === 0 ? ' · no value' : ''}`
  tooltip.show({ left, top }, time, items, near.length - items.length, common)
}

/** The figure in words. */
function describe(aligned: Aligned, grid: Grid, zone: 'utc' | 'local'): string {
  const range = `${formatTime(grid.startMs, zone)} to ${formatTime(grid.endMs, zone)}`
  const gaps = aligned.gaps === 0 ? 'without gaps' : `${plural(aligned.gaps, 'step')} missing inside lines`
  const named = aligned.ys.slice(0, 5).map((row, index) => {
    const summary = summarize(row)
    const values = summary
      ? `last ${formatSi(summary.last)}, lowest ${formatSi(summary.min)}, highest ${formatSi(summary.max)}`
      : 'no value'
    return `${formatSeries(aligned.labels[index]!)}: ${values}`
  })
  const more = aligned.ys.length > 5 ? [`and ${formatCount(aligned.ys.length - 5)} more`] : []
  return [`Graph of ${plural(aligned.ys.length, 'series', 'series')}, ${range}, ${gaps}`, ...named, ...more].join('. ')
}

function describeStep(
  { ys, labels }: Aligned,
  hidden: ReadonlySet<string>,
  keys: readonly string[],
  step: number,
  time: string,
): string {
  const values = ys.flatMap((row, index) =>
    hidden.has(keys[index]!)
      ? []
      : [`${formatSeries(labels[index]!)} ${row[step] == null ? 'gap' : formatSi(row[step])}`],
  )
  return [time, ...values.slice(0, 5), ...(values.length > 5 ? [`and ${values.length - 5} more`] : [])].join(', ')
}
