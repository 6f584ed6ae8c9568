/** What the tests ask of a hub over HTTP. */

export type Answer = {
  readonly status: number
  readonly body: {
    readonly status: string
    readonly data?: unknown
    readonly errorType?: string
    readonly error?: string
  }
}

/** A GET of the API; the body must be JSON whatever the status. */
export async function ask(
  url: string,
  path: string,
  params: Readonly<Record<string, string>> = {},
  timeoutMs = 60_000,
): Promise<Answer> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(params),
    signal: AbortSignal.timeout(timeoutMs),
  })
  return { status: response.status, body: (await response.json()) as Answer['body'] }
}

export type RawSeries = {
  readonly metric: Readonly<Record<string, string>>
  /** Seconds, and the value as text. */
  readonly values: readonly (readonly [number, string])[]
}

/** All raw samples of a selector such as `x[10m]`. */
export async function exportRaw(url: string, query: string): Promise<readonly RawSeries[]> {
  const { status, body } = await ask(url, '/api/v1/query', { query })
  if (status !== 200) throw new Error(`Query ${query} failed with ${status}: ${body.error}`)
  return (body.data as { result: RawSeries[] }).result
}

/** The only value of an instant query; null when it is empty. */
export async function scalar(url: string, query: string): Promise<number | null> {
  const { status, body } = await ask(url, '/api/v1/query', { query })
  if (status !== 200) throw new Error(`Query ${query} failed with ${status}: ${body.error}`)
  const [first] = (body.data as { result: { value: [number, string] }[] }).result
  return first ? Number(first.value[1]) : null
}

export type Gap = {
  readonly target: string
  readonly fromMs: number
  readonly toMs: number
  readonly intervalMs: number
  readonly reason: string
}

export async function gapsOf(url: string, agent: string): Promise<readonly Gap[]> {
  const response = await fetch(`${url}/api/v1/agents/${agent}/gaps`, { signal: AbortSignal.timeout(10_000) })
  return ((await response.json()) as { data: { gaps: Gap[] } }).data.gaps
}

/** A program's own `/metrics`: values by series as printed. */
export async function metricsOf(url: string): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(10_000) })
  const out = new Map<string, number>()
  for (const line of (await response.text()).split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const at = line.lastIndexOf(' ')
    out.set(line.slice(0, at), Number(line.slice(at + 1)))
  }
  return out
}
