/**
 * The query page's state as URL parameters, name for name those of Prometheus (`g0.expr`, `g0.tab`, …), because every
 * alert's generatorURL and every bookmark points there. Times are UTC in the URL; no end means "until now", and stays
 * so. Semantics: Prometheus web/ui/mantine-ui, urlStateEncoding.ts (read leniently: old numeric tabs, step_input).
 */
import { formatDuration, parseDuration } from '../logic/duration.ts'
import { formatTime, parseTime } from '../logic/time.ts'

export type Density = 'low' | 'medium' | 'high'
export type Resolution =
  | { readonly kind: 'auto'; readonly density: Density }
  | { readonly kind: 'fixed' | 'custom'; readonly stepMs: number }
export type Tab = 'table' | 'graph' | 'explain'
/** Which run is explained: at the end time, or over the range. */
export type Explains = 'instant' | 'range'

export type PanelState = {
  readonly expr: string
  readonly tab: Tab
  readonly rangeMs: number
  /** Null = now, again at every evaluation. */
  readonly endMs: number | null
  readonly resolution: Resolution
  /** Lowest value of the y axis; null = by the data. */
  readonly yMin: number | null
  /** Kept for Prometheus's page, which we do not have all modes of: `lines`, `stacked`, `heatmap`. */
  readonly displayMode: string
  readonly explains: Explains
}

export const DEFAULT_PANEL: PanelState = {
  expr: '',
  tab: 'table',
  rangeMs: 3_600_000,
  endMs: null,
  resolution: { kind: 'auto', density: 'medium' },
  yMin: null,
  displayMode: 'lines',
  explains: 'instant',
}
const POINTS: Readonly<Record<Density, number>> = { low: 100, medium: 250, high: 750 }
/** No link makes the page ask for more than this. */
export const MAX_PANELS = 50

export function decodePanels(search: string): PanelState[] {
  const params = new URLSearchParams(search)
  const panels: PanelState[] = []
  for (let i = 0; i < MAX_PANELS && params.has(`g${i}.expr`); i++)
    panels.push(decodePanel((name) => params.get(`g${i}.${name}`)))
  return panels.length > 0 ? panels : [DEFAULT_PANEL]
}

function decodePanel(get: (name: string) => string | null): PanelState {
  const tab = get('tab')
  const yMin = get('y_axis_min')
  return {
    expr: get('expr') ?? '',
    tab: tab === '0' || tab === 'graph' ? 'graph' : tab === 'explain' ? 'explain' : 'table',
    rangeMs: parseDuration(get('range_input') ?? '') ?? DEFAULT_PANEL.rangeMs,
    endMs: parseTime(get('moment_input') ?? get('end_input') ?? '', 'utc'),
    resolution: decodeResolution(get),
    yMin: yMin === null || yMin.trim() === '' || !Number.isFinite(Number(yMin)) ? null : Number(yMin),
    displayMode: get('display_mode') ?? (get('stacked') === '1' ? 'stacked' : 'lines'),
    explains: get('explains') === 'range' ? 'range' : 'instant',
  }
}

function decodeResolution(get: (name: string) => string | null): Resolution {
  const kind = get('res_type')
  const density = get('res_density')
  if (kind === 'auto' && (density === 'low' || density === 'medium' || density === 'high')) return { kind, density }
  const seconds = Number(kind === 'fixed' || kind === 'custom' ? get('res_step') : get('step_input'))
  if (!Number.isFinite(seconds) || seconds <= 0) return DEFAULT_PANEL.resolution
  return { kind: kind === 'fixed' ? 'fixed' : 'custom', stepMs: Math.max(1, Math.round(seconds * 1000)) }
}

/** Without a leading `?`; empty for one untouched panel. */
export function encodePanels(panels: readonly PanelState[]): string {
  if (panels.length === 1 && panels[0]!.expr === '' && isDefault(panels[0]!)) return ''
  const params = new URLSearchParams()
  for (const [i, panel] of panels.entries()) {
    const add = (name: string, value: string): void => params.append(`g${i}.${name}`, value)
    add('expr', panel.expr)
    add('tab', panel.tab)
    if (panel.endMs !== null) {
      add('end_input', formatTime(panel.endMs, 'utc'))
      add('moment_input', formatTime(panel.endMs, 'utc'))
    }
    add('range_input', formatDuration(panel.rangeMs))
    add('res_type', panel.resolution.kind)
    if (panel.resolution.kind === 'auto') add('res_density', panel.resolution.density)
    else add('res_step', String(panel.resolution.stepMs / 1000))
    add('display_mode', panel.displayMode)
    if (panel.yMin !== null) add('y_axis_min', String(panel.yMin))
    if (panel.explains !== DEFAULT_PANEL.explains) add('explains', panel.explains)
  }
  return params.toString()
}

function isDefault(panel: PanelState): boolean {
  return JSON.stringify(panel) === JSON.stringify(DEFAULT_PANEL)
}

/**
 * The step of a range query; "auto" aims at a number of points. As getEffectiveResolution in Prometheus's page.
 * Differs: from a second up it is a whole number of them, so that times read well and steps repeat.
 */
export function stepOf({ resolution, rangeMs }: Pick<PanelState, 'resolution' | 'rangeMs'>): number {
  if (resolution.kind !== 'auto') return resolution.stepMs
  const ms = Math.max(1, Math.floor(rangeMs / POINTS[resolution.density]))
  return ms < 1000 ? ms : Math.floor(ms / 1000) * 1000
}
