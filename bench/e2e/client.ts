/** Asking a hub, or a Prometheus, over HTTP; and waiting for what must come true. */

export type Server = { readonly url: string }
export type ApiAnswer = {
  readonly httpStatus: number
  readonly status: string
  readonly data: unknown
  readonly errorType?: string
  readonly error?: string
  readonly warnings?: readonly string[]
}
export type VectorRow = { readonly metric: Readonly<Record<string, string>>; readonly value: readonly [number, string] }
export type MatrixRow = {
  readonly metric: Readonly<Record<string, string>>
  readonly values: readonly (readonly [number, string])[]
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const POLL_MS = 50
/** For what comes within a second or two where nothing else runs. */
const WAIT_MS = 60_000

/**
 * Calls until the answer is neither null, undefined nor false, and returns it. An exception counts as "not yet", and
 * the last one explains the timeout. `explain` adds the logs of those concerned.
 */
export async function until<T>(
  what: string,
  check: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  options: { readonly timeoutMs?: number; readonly pollMs?: number; readonly explain?: () => string } = {},
): Promise<T> {
  const { timeoutMs = WAIT_MS, pollMs = POLL_MS, explain = () => '' } = options
  const end = performance.now() + timeoutMs
  let last: unknown = null
  for (;;) {
    try {
      const answer = await check()
      if (answer !== null && answer !== undefined && answer !== false) return answer
      last = answer
    } catch (error) {
      last = error
    }
    if (performance.now() > end) {
      const why = last instanceof Error ? `: ${last.message}` : ''
      throw new Error(`not within ${timeoutMs} ms: ${what}${why}\n${explain()}`, { cause: last })
    }
    await sleep(pollMs)
  }
}

/**
 * Calls until the assertions in `check` hold all at once, and returns its answer; in the end the last of them is what
 * fails. For two living systems that are compared, or for a figure that follows another one a moment later: what differs
 * for good still fails, and nothing is left out of the comparison.
 */
export async function untilHolds<T>(
  what: string,
  check: () => Promise<T> | T,
  options: { readonly timeoutMs?: number; readonly pollMs?: number } = {},
): Promise<T> {
  const { timeoutMs = WAIT_MS, pollMs = POLL_MS } = options
  const end = performance.now() + timeoutMs
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (performance.now() > end) {
        if (error instanceof Error) error.message = `not within ${timeoutMs} ms: ${what}: ${error.message}`
        throw error
      }
    }
    await sleep(pollMs)
  }
}

/** One API call; never throws for an error status. */
export async function api(
  server: Server,
  path: string,
  params: Readonly<Record<string, string | readonly string[]>> = {},
  method: 'GET' | 'POST' = 'GET',
): Promise<ApiAnswer> {
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(params))
    for (const each of typeof value === 'string' ? [value] : value) form.append(name, each)
  const text = form.toString()
  const response =
    method === 'GET'
      ? await fetch(`${server.url}${path}${text === '' ? '' : `?${text}`}`)
      : await fetch(`${server.url}${path}`, { method, body: form })
  const body = await response.text()
  try {
    return { httpStatus: response.status, ...(JSON.parse(body) as Omit<ApiAnswer, 'httpStatus'>) }
  } catch {
    return { httpStatus: response.status, status: 'not json', data: body }
  }
}

async function answered(server: Server, path: string, params: Readonly<Record<string, string>>): Promise<unknown> {
  const answer = await api(server, path, params)
  if (answer.status === 'success') return answer.data
  throw new Error(`${path} ${JSON.stringify(params)} answered ${answer.httpStatus}: ${answer.error ?? answer.data}`)
}

/** An instant query with a vector for an answer. `time` in seconds; now by default. */
export async function query(server: Server, expr: string, time?: number): Promise<readonly VectorRow[]> {
  const params = { query: expr, ...(time !== undefined && { time: String(time) }) }
  const data = (await answered(server, '/api/v1/query', params)) as { resultType: string; result: VectorRow[] }
  return data.result
}

/** The value of the only series of the answer; null for an empty one. */
export async function queryValue(server: Server, expr: string, time?: number): Promise<number | null> {
  const rows = await query(server, expr, time)
  if (rows.length > 1) throw new Error(`${expr} answers ${rows.length} series, one was expected`)
  return rows.length === 0 ? null : goNumber(rows[0]!.value[1])
}

/** Stored samples as they are: a range selector as instant query (`up[1h]`). */
export async function samples(server: Server, selector: string, time?: number): Promise<readonly MatrixRow[]> {
  const params = { query: selector, ...(time !== undefined && { time: String(time) }) }
  const data = (await answered(server, '/api/v1/query', params)) as { resultType: string; result: MatrixRow[] }
  if (data.resultType !== 'matrix') throw new Error(`${selector} is a ${data.resultType}, not a range`)
  return data.result
}

/** Times in seconds. */
export async function queryRange(
  server: Server,
  expr: string,
  { start, end, step }: { readonly start: number; readonly end: number; readonly step: number },
): Promise<readonly MatrixRow[]> {
  const params = { query: expr, start: String(start), end: String(end), step: String(step) }
  return ((await answered(server, '/api/v1/query_range', params)) as { result: MatrixRow[] }).result
}

export function goNumber(text: string): number {
  return text === '+Inf' ? Number.POSITIVE_INFINITY : text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text)
}
