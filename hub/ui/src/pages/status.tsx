/** Build, run time, storage, what was refused, and flags, as the server tells them. */
import type { PageProps } from '../app.tsx'
import { type Column, List, ListFailure, useList } from './list-page.tsx'
import { StorageSections } from './storage.tsx'

type Entry = { readonly name: string; readonly value: string }
type Exceeded = { readonly limit: string; readonly who: string; readonly refused: number }

const SECTIONS: readonly { readonly path: string; readonly title: string }[] = [
  { path: 'status/runtimeinfo', title: 'Run time' },
  { path: 'status/buildinfo', title: 'Build' },
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
      <StorageSections tick={tick} />
      <IngestSections tick={tick} />
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

const EXCEEDED_COLUMNS: readonly Column<Exceeded>[] = [
  { title: 'Limit', text: ({ limit }) => limit, cell: ({ limit }) => limit },
  { title: 'Who', class: 'mono', text: ({ who }) => who, cell: ({ who }) => who },
  { title: 'Series refused', class: 'number', text: ({ refused }) => refused, cell: ({ refused }) => String(refused) },
]

/** Of a hub: whose series a limit refused, and the counters of what came in. */
function IngestSections({ tick }: { readonly tick: number }) {
  const loaded = useList<Readonly<Record<string, unknown>>>('status/ingest', tick)
  if (loaded.failure?.status === 404) return null
  const { exceeded, agents: _, replay: __, ...rest } = loaded.answer?.data ?? {}
  const over = Array.isArray(exceeded) ? (exceeded as readonly Exceeded[]) : []
  return (
    <>
      <ListFailure failure={loaded.failure} what="ingest" />
      {rest['isFull'] === true && (
        <div class="message crit" role="alert">
          <strong>Disk full</strong> Samples are not acknowledged until there is space; queries go on.
        </div>
      )}
      {over.length > 0 && (
        <List title="Limits exceeded" loaded={loaded} items={over} columns={EXCEEDED_COLUMNS} none="" />
      )}
      <details class="fold-section">
        <summary>Ingest counters</summary>
        <List title="Ingest" loaded={loaded} items={entries(rest)} columns={COLUMNS} none="Nothing told." />
      </details>
    </>
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

/** An object's fields; what lies deeper as `a.b`, a list in one line. */
function entries(data: unknown, prefix = ''): Entry[] {
  if (data === null || typeof data !== 'object') return []
  return Object.entries(data).flatMap(([key, value]: [string, unknown]): Entry[] => {
    const name = prefix === '' ? key : `${prefix}.${key}`
    if (Array.isArray(value)) return [{ name, value: JSON.stringify(value) }]
    return value !== null && typeof value === 'object' ? entries(value, name) : [{ name, value: String(value) }]
  })
}
