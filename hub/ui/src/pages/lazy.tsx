/** A page of the lazy chunk: the first load is the query page's alone. */
import type { ComponentType } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { PageProps } from '../app.tsx'

type Pages = typeof import('./mod.ts')

let fetched: Pages | null = null

export function lazyPage(name: keyof Pages): ComponentType<PageProps> {
  return function LazyPage(props: PageProps) {
    const [state, setState] = useState<Pages | 'loading' | 'failed'>(fetched ?? 'loading')
    useEffect(() => {
      if (state !== 'loading') return
      import('./mod.ts').then(
        (pages) => {
          fetched = pages
          setState(pages)
        },
        () => setState('failed'),
      )
    }, [state])
    if (state === 'loading') return <p class="note">Loading the page…</p>
    if (state === 'failed')
      return (
        <div class="message crit" role="alert">
          <strong>Error</strong> This page could not be fetched from the server.{' '}
          <button type="button" onClick={() => location.reload()}>
            Reload
          </button>
        </div>
      )
    const Page = state[name]
    return <Page {...props} />
  }
}
