/** The page's place: a name in the path, the query page's state in the search. Back and forward come from the browser. */
import { useEffect, useState } from 'preact/hooks'
import { basePath } from '../api/client.ts'

export type Place = { readonly page: string; readonly search: string }

export function currentPlace(): Place {
  const page = location.pathname.slice(basePath(location.pathname).length)
  return { page, search: location.search }
}

const listeners = new Set<() => void>()

/** One history entry; none when nothing changes. Typing replaces the entry it stands in. */
export function go(page: string, search = '', { replaces = false }: { readonly replaces?: boolean } = {}): void {
  const url = `${basePath(location.pathname)}${page}${search === '' ? '' : `?${search}`}`
  if (url === location.pathname + location.search) return
  if (replaces) history.replaceState(null, '', url)
  else history.pushState(null, '', url)
  for (const listen of listeners) listen()
}

export function usePlace(): Place {
  const [place, setPlace] = useState(currentPlace)
  useEffect(() => {
    const listen = (): void => setPlace(currentPlace())
    listeners.add(listen)
    addEventListener('popstate', listen)
    return () => {
      listeners.delete(listen)
      removeEventListener('popstate', listen)
    }
  }, [])
  return place
}
