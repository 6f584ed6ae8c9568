/** Range, end and resolution of a panel. Each change that is committed (Enter, blur, button) is one change of state. */
import { useEffect, useState } from 'preact/hooks'
import { formatDuration, nextRange, parseDuration } from '../logic/duration.ts'
import { formatTime, parseTime, type Zone } from '../logic/time.ts'
import { useSettings } from '../state/settings.ts'
import { type Density, type PanelState, type Resolution, stepOf } from '../state/url-state.ts'

type Props = { readonly panel: PanelState; readonly onChange: (next: PanelState) => void }

export function RangeInput({ panel, onChange }: Props) {
  const step = (direction: 1 | -1) => onChange({ ...panel, rangeMs: nextRange(panel.rangeMs, direction) })
  return (
    <fieldset class="group">
      <legend class="offscreen">Range</legend>
      <button type="button" aria-label="Shorter range" onClick={() => step(-1)}>
        −
      </button>
      <TextInput
        label="Range"
        width="narrow"
        value={formatDuration(panel.rangeMs)}
        parse={readDuration}
        expected="a duration like 1h or 15m"
        onCommit={(rangeMs) => onChange({ ...panel, rangeMs })}
      />
      <button type="button" aria-label="Longer range" onClick={() => step(1)}>
        +
      </button>
    </fieldset>
  )
}

export function EndInput({ label, panel, onChange }: Props & { readonly label: string }) {
  const { settings } = useSettings()
  const { endMs, rangeMs } = panel
  const shift = (direction: 1 | -1): void => {
    const next = Math.round((endMs ?? Date.now()) / 1000) * 1000 + (direction * rangeMs) / 2
    onChange({ ...panel, endMs: Math.round(next / 1000) * 1000 })
  }
  return (
    <fieldset class="group">
      <legend class="offscreen">{label}</legend>
      <button type="button" aria-label="Earlier" onClick={() => shift(-1)}>
        ‹
      </button>
      <TextInput
        label={label}
        width="wide"
        placeholder="now"
        value={endMs === null ? '' : formatTime(endMs, settings.zone)}
        parse={(text) => readEnd(text, settings.zone)}
        expected="a time like 2026-11-22 14:30:00, or nothing for now"
        onCommit={(next) => onChange({ ...panel, endMs: next })}
      />
      <button type="button" aria-label="Later" onClick={() => shift(1)}>
        ›
      </button>
      {endMs !== null && (
        <button type="button" onClick={() => onChange({ ...panel, endMs: null })}>
          Now
        </button>
      )}
    </fieldset>
  )
}

const FIXED_MS: readonly number[] = [
  1000, 5000, 10_000, 15_000, 30_000, 60_000, 300_000, 900_000, 3_600_000, 86_400_000,
]

export function ResolutionInput({ panel, onChange }: Props) {
  const { resolution } = panel
  const set = (next: Resolution): void => onChange({ ...panel, resolution: next })
  const stepMs = stepOf(panel)
  return (
    <fieldset class="group">
      <legend class="offscreen">Resolution</legend>
      <select
        aria-label="Resolution"
        value={
          resolution.kind === 'auto' ? resolution.density : resolution.kind === 'custom' ? 'custom' : String(stepMs)
        }
        onChange={(event) => {
          const value = event.currentTarget.value
          if (value === 'low' || value === 'medium' || value === 'high')
            set({ kind: 'auto', density: value as Density })
          else if (value === 'custom') set({ kind: 'custom', stepMs })
          else set({ kind: 'fixed', stepMs: Number(value) })
        }}
      >
        <optgroup label="By the range">
          <option value="low">Res. low</option>
          <option value="medium">Res. medium</option>
          <option value="high">Res. high</option>
        </optgroup>
        <optgroup label="Fixed step">
          {[...new Set([...FIXED_MS, ...(resolution.kind === 'fixed' ? [stepMs] : [])])].map((ms) => (
            <option key={ms} value={String(ms)}>
              Step {formatDuration(ms)}
            </option>
          ))}
          <option value="custom">Own step…</option>
        </optgroup>
      </select>
      {resolution.kind === 'custom' && (
        <TextInput
          label="Step"
          width="narrow"
          value={formatDuration(stepMs)}
          parse={readDuration}
          expected="a duration like 15s"
          onCommit={(next) => set({ kind: 'custom', stepMs: next })}
        />
      )}
    </fieldset>
  )
}

type TextProps<Value> = {
  readonly label: string
  readonly value: string
  readonly width: 'narrow' | 'wide'
  readonly placeholder?: string
  /** What makes a good text, for the message. */
  readonly expected: string
  /** Null for bad text. */
  parse(text: string): { readonly value: Value } | null
  onCommit(value: Value): void
}

/** Commits on Enter and on leaving; Escape restores; bad text stays and says what was expected. */
function TextInput<Value>({ label, value, width, placeholder, expected, parse, onCommit }: TextProps<Value>) {
  const [text, setText] = useState(value)
  const [isBad, setIsBad] = useState(false)
  const reset = (): void => {
    setText(value)
    setIsBad(false)
  }
  useEffect(reset, [value])
  const commit = (): void => {
    if (text === value) {
      setIsBad(false)
      return
    }
    const parsed = parse(text)
    setIsBad(parsed === null)
    if (parsed) onCommit(parsed.value)
  }
  return (
    <input
      type="text"
      class={width}
      aria-label={label}
      aria-invalid={isBad}
      title={isBad ? `Expected ${expected}` : ''}
      placeholder={placeholder}
      value={text}
      spellcheck={false}
      autocomplete="off"
      onInput={(event) => setText(event.currentTarget.value)}
      onBlur={commit}
      onKeyDown={(event) => {
        if (event.key === 'Enter') commit()
        if (event.key === 'Escape') reset()
      }}
    />
  )
}

function readDuration(text: string): { value: number } | null {
  const value = parseDuration(text)
  return value === null ? null : { value }
}

/** Nothing is "now". */
function readEnd(text: string, zone: Zone): { value: number | null } | null {
  if (text.trim() === '' || text.trim() === 'now') return { value: null }
  const value = parseTime(text, zone)
  return value === null ? null : { value }
}
