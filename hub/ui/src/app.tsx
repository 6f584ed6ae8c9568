/** The frame around all pages: navigation, refresh, time zone, theme. */
import type { ComponentType } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { formatOffset } from './logic/time.ts'
import { lazyPage } from './pages/lazy.tsx'
import { QueryPage } from './query/query-page.tsx'
import { currentPlace, go, usePlace } from './state/router.ts'
import {
  REFRESH_MS,
  type Refresh,
  SettingsContext,
  type ThemeChoice,
  useStoredSettings,
  useTheme,
} from './state/settings.ts'

export type PageProps = {
  /** Grows with every automatic refresh. */
  readonly tick: number
  readonly search: string
}

const PAGES: readonly { readonly path: string; readonly title: string; readonly page: ComponentType<PageProps> }[] = [
  { path: 'query', title: 'Query', page: QueryPage },
  { path: 'alerts', title: 'Alerts', page: lazyPage('AlertsPage') },
  { path: 'targets', title: 'Targets', page: lazyPage('TargetsPage') },
  { path: 'agents', title: 'Agents', page: lazyPage('AgentsPage') },
  { path: 'status', title: 'Status', page: lazyPage('StatusPage') },
]
/** Paths of Prometheus's page and the page here that answers them. */
const ALIASES: Readonly<Record<string, string>> = {
  '': 'query',
  graph: 'query',
  rules: 'alerts',
  'service-discovery': 'targets',
  config: 'status',
  flags: 'status',
  'tsdb-status': 'status',
}

export function App() {
  const place = usePlace()
  const [settings, change] = useStoredSettings()
  const theme = useTheme(settings.theme)
  const tick = useTick(REFRESH_MS[settings.refresh])
  const path = ALIASES[place.page] ?? place.page
  const found = PAGES.find((page) => page.path === path)
  const Page = found?.page
  const context = useMemo(() => ({ settings, theme }), [settings, theme])
  useEffect(() => {
    document.title = found ? `${found.title} · Heliograph` : 'Heliograph'
  }, [found])

  return (
    <SettingsContext.Provider value={context}>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <header class="bar">
        <span class="brand">
          <Logo />
          Heliograph
        </span>
        <nav aria-label="Pages">
          {PAGES.map((page) => (
            <a
              key={page.path}
              href={`./${page.path}`}
              aria-current={page === found ? 'page' : undefined}
              onClick={(event) => {
                if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return
                event.preventDefault()
                if (page !== found) go(page.path)
              }}
            >
              {page.title}
            </a>
          ))}
        </nav>
        <div class="bar-settings">
          <label class="setting">
            <span>Refresh</span>
            <select
              value={settings.refresh}
              onChange={(event) => change({ refresh: event.currentTarget.value as Refresh })}
            >
              {Object.keys(REFRESH_MS).map((name) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <label class="setting">
            <span>Time zone</span>
            <select
              value={settings.zone}
              onChange={(event) => change({ zone: event.currentTarget.value === 'utc' ? 'utc' : 'local' })}
            >
              <option value="local">{`Browser (${formatOffset(Date.now(), 'local')})`}</option>
              <option value="utc">UTC</option>
            </select>
          </label>
          <label class="setting">
            <span>Theme</span>
            <select
              value={settings.theme}
              onChange={(event) => change({ theme: event.currentTarget.value as ThemeChoice })}
            >
              <option value="auto">Auto</option>
              <option value="light">Light</option>
              <option value="dark">Dark</option>
            </select>
          </label>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {Page ? <Page tick={tick} search={place.search} /> : <p class="note">No page “{currentPlace().page}” here.</p>}
      </main>
    </SettingsContext.Provider>
  )
}

/** Counts while the page is in sight: a hidden tab asks nothing, and asks at once when it comes back. */
function useTick(everyMs: number): number {
  const [tick, setTick] = useState(0)
  useEffect(() => {
    if (everyMs === 0) return
    let last = performance.now()
    const beat = (): void => {
      if (document.hidden || performance.now() - last < everyMs - 50) return
      last = performance.now()
      setTick((count) => count + 1)
    }
    const timer = setInterval(beat, everyMs)
    document.addEventListener('visibilitychange', beat)
    return () => {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', beat)
    }
  }, [everyMs])
  return tick
}

function Logo() {
  return (
    <svg width="20" height="20" viewBox="0 0 32 32" aria-hidden="true">
      <circle cx="16" cy="16" r="6" fill="currentColor" />
      <path
        d="M16 2v6M16 24v6M2 16h6M24 16h6M6.1 6.1l4.2 4.2M21.7 21.7l4.2 4.2M6.1 25.9l4.2-4.2M21.7 10.3l4.2-4.2"
        stroke="currentColor"
        stroke-width="2.6"
        stroke-linecap="round"
        fill="none"
      />
    </svg>
  )
}
