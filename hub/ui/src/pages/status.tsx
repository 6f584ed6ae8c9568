/** Build, run time, storage and flags, as the server tells them. */
import type { PageProps } from '../app.tsx'
import { type Column, List, ListFailure, useList } from './list-page.tsx'

type Entry = { readonly name: string; readonly value: string }

const SECTIONS: readonly { readonly path: string; readonly title: string }[] = [
  { path: 'status/runtimeinfo', title: 'Run time' },
  { path: 'status/buildinfo', title: 'Build' },
  { path: 'status/tsdb', title: 'Storage' },
  { path: 'status/flags', title: 'Flags' },
]
const COLUMNS: readonly Column<Entry>[] = [
  { title: 'Name', class: 'mono name', text: ({ name }) => name, cell: ({ name }) => name },
  { title: 'Value', class: 'mono wrap', text: ({ value }) => value, cell: ({ value }) => value },
]

export function StatusPage({ tick }: PageProps) {
  return (
    <>
      <h1 class="offscreen">Status</h1>
      <div class="columns">
        {SECTIONS.map((section) => (
          <Section key={section.path} tick={tick} {...section} />
        ))}
      </div>
      <ConfigSection tick={tick} />
    </>
  )
}

function Section({ path, title, tick }: { readonly path: string; readonly title: string; readonly tick: number }) {
  const loaded = useList<unknown>(path, tick)
  return (
    <div>
      <ListFailure failure={loaded.failure} what={title.toLowerCase()} />
      <List title={title} loaded={loaded} items={entries(loaded.answer?.data)} columns={COLUMNS} none="Nothing told." />
    </div>
  )
}

function ConfigSection({ tick }: { readonly tick: number }) {
  const loaded = useList<{ yaml?: unknown }>('status/config', tick)
  const yaml = loaded.answer?.data.yaml
  return (
    <section class="panel list" aria-label="Configuration">
      <div class="tools">
        <h2>Configuration</h2>
      </div>
      <ListFailure failure={loaded.failure} what="configuration" />
      {typeof yaml === 'string' && <pre class="config">{yaml}</pre>}
    </section>
  )
}

/** An object's fields; what lies deeper as `a.b`, lists of name and value (the top lists of the storage) as `a: name`. */
function entries(data: unknown, prefix = ''): Entry[] {
  if (data === null || typeof data !== 'object') return []
  return Object.entries(data).flatMap(([key, value]: [string, unknown]): Entry[] => {
    const name = prefix === '' ? key : `${prefix}.${key}`
    if (Array.isArray(value))
      return value.map((item) => ({
        name: `${name}: ${String((item as { name?: unknown })?.name ?? '')}`,
        value: String((item as { value?: unknown })?.value ?? item),
      }))
    return value !== null && typeof value === 'object' ? entries(value, name) : [{ name, value: String(value) }]
  })
}
