/** Calls of /api/v1 and /api/v2 on the same origin, under the page's own route prefix. */

export type ApiAnswer<Data> = {
  readonly data: Data
  readonly warnings: readonly string[]
  readonly infos: readonly string[]
  /** Beside the data, where `explain=1` was asked of a hub. */
  readonly explain?: unknown
  readonly tookMs: number
}

/** What a server or the network answered instead of data. */
export class ApiFailure extends Error {
  /** Prometheus's errorType, or `network`, or `http` where the answer was no JSON. */
  readonly kind: string
  readonly status: number
  constructor(kind: string, message: string, status: number, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ApiFailure'
    this.kind = kind
    this.status = status
  }
}

/** `/` or `/prefix/`: all pages lie one level below it. */
export function basePath(pathname: string): string {
  return pathname.slice(0, pathname.lastIndexOf('/') + 1)
}

type Body = {
  status?: unknown
  data?: unknown
  errorType?: unknown
  error?: unknown
  warnings?: unknown
  infos?: unknown
  explain?: unknown
}

type CallOptions = { readonly form?: Readonly<Record<string, string>>; readonly signal?: AbortSignal }

/** @throws ApiFailure; an aborted call rejects with the signal's reason */
export async function callApi<Data>(path: string, options: CallOptions = {}): Promise<ApiAnswer<Data>> {
  const started = performance.now()
  const { response, read } = await fetchApi(path, options, 'application/json')
  return jsonAnswerOf(response, await read(() => response.text()), started)
}

export type Fetched = {
  readonly response: Response
  /** Reads the body, with the network's faults as ApiFailure. */
  read<Body>(body: () => Promise<Body>): Promise<Body>
}

/** @throws ApiFailure; an aborted call rejects with the signal's reason */
export async function fetchApi(path: string, { form, signal }: CallOptions, accept: string): Promise<Fetched> {
  return fetchUnder(`api/v1/${path}`, {
    ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    ...(signal && { signal }),
    headers: { accept },
  })
}

async function fetchUnder(path: string, request: RequestInit): Promise<Fetched> {
  const read = async <Body>(body: () => Promise<Body>): Promise<Body> => {
    try {
      return await body()
    } catch (error) {
      if (request.signal?.aborted) throw error
      throw new ApiFailure('network', 'No answer from the server. Is it running and reachable?', 0, { cause: error })
    }
  }
  return { response: await read(() => fetch(basePath(location.pathname) + path, request)), read }
}

/** @throws ApiFailure for an error, or for text that is no answer of the API */
export function jsonAnswerOf<Data>(response: Response, text: string, started: number): ApiAnswer<Data> {
  let body: Body
  try {
    body = JSON.parse(text)
  } catch (error) {
    const said = text.trim().slice(0, 300)
    const hint = response.status === 503 ? 'the server is starting' : said || response.statusText
    throw new ApiFailure('http', `HTTP ${response.status}: ${hint}`, response.status, { cause: error })
  }
  if (body === null || body.status !== 'success')
    throw new ApiFailure(
      typeof body?.errorType === 'string' ? body.errorType : 'http',
      typeof body?.error === 'string' ? body.error : `HTTP ${response.status} without an explanation`,
      response.status,
    )
  return {
    data: body.data as Data,
    warnings: texts(body.warnings),
    infos: texts(body.infos),
    explain: body.explain,
    tookMs: performance.now() - started,
  }
}

/**
 * Calls of /api/v2, the Alertmanager's: the answer is the data, an error a text or an object with a message.
 * @throws ApiFailure; an aborted call rejects with the signal's reason
 */
export async function callAlertmanager<Data>(
  path: string,
  {
    method = 'GET',
    body,
    signal,
  }: { readonly method?: string; readonly body?: unknown; readonly signal?: AbortSignal } = {},
): Promise<ApiAnswer<Data>> {
  const started = performance.now()
  const { response, read } = await fetchUnder(`api/v2/${path}`, {
    method,
    ...(signal && { signal }),
    headers: { accept: 'application/json', ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await read(() => response.text())
  const data = readJson(text)
  if (!response.ok) throw new ApiFailure('alertmanager', messageOf(data, text, response), response.status)
  return { data: data as Data, warnings: [], infos: [], tookMs: performance.now() - started }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function messageOf(data: unknown, text: string, response: Response): string {
  if (typeof data === 'string') return data
  const { message } = (data ?? {}) as { message?: unknown }
  if (typeof message === 'string') return message
  return `HTTP ${response.status}: ${text.trim().slice(0, 300) || response.statusText}`
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}
