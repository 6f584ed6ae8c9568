/** What a reader chose for this browser: theme, zone, refresh. Not in the URL, because a link is for other readers. */
import { createContext } from 'preact'
import { useContext, useEffect, useLayoutEffect, useState } from 'preact/hooks'
import type { Theme } from '../logic/palette.ts'
import type { Zone } from '../logic/time.ts'

export type ThemeChoice = 'auto' | Theme
export const REFRESH_MS = { off: 0, '5s': 5000, '15s': 15_000, '1m': 60_000 } as const
export type Refresh = keyof typeof REFRESH_MS

export type Settings = { readonly theme: ThemeChoice; readonly zone: Zone; readonly refresh: Refresh }

const KEY = 'heliograph.settings'
const DEFAULTS: Settings = { theme: 'auto', zone: 'local', refresh: 'off' }

export const SettingsContext = createContext<{
  readonly settings: Settings
  /** The theme in force: auto resolved. */
  readonly theme: Theme
}>({ settings: DEFAULTS, theme: 'light' })

export const useSettings = () => useContext(SettingsContext)

export function useStoredSettings(): [Settings, (change: Partial<Settings>) => void] {
  const [settings, set] = useState(load)
  return [
    settings,
    (change) =>
      set((old) => {
        const next = { ...old, ...change }
        try {
          storage.setItem(KEY, JSON.stringify(next))
        } catch {
          // Not kept for the next visit.
        }
        return next
      }),
  ]
}

function load(): Settings {
  try {
    const value = JSON.parse(storage.getItem(KEY) ?? '{}') as Partial<Record<keyof Settings, unknown>>
    return {
      theme: value.theme === 'light' || value.theme === 'dark' ? value.theme : 'auto',
      zone: value.zone === 'utc' ? 'utc' : 'local',
      refresh: typeof value.refresh === 'string' && value.refresh in REFRESH_MS ? (value.refresh as Refresh) : 'off',
    }
  } catch {
    return DEFAULTS
  }
}

/** localStorage throws on access where cookies are blocked. */
export const storage = {
  getItem: (key: string): string | null => {
    try {
      return localStorage.getItem(key)
    } catch {
      return null
    }
  },
  setItem: (key: string, value: string): void => localStorage.setItem(key, value),
}

export function useTheme(choice: ThemeChoice): Theme {
  const [prefersDark, setPrefersDark] = useState(() => matchMedia('(prefers-color-scheme: dark)').matches)
  useEffect(() => {
    const query = matchMedia('(prefers-color-scheme: dark)')
    const listen = (): void => setPrefersDark(query.matches)
    query.addEventListener('change', listen)
    return () => query.removeEventListener('change', listen)
  }, [])
  // Before the effects of children, which read colours.
  useLayoutEffect(() => {
    if (choice === 'auto') delete document.documentElement.dataset['theme']
    else document.documentElement.dataset['theme'] = choice
  }, [choice])
  return choice === 'auto' ? (prefersDark ? 'dark' : 'light') : choice
}
