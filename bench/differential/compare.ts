/** Whether two servers gave the same answer: values to 1e-9, everything else exactly. */

export type Answer = {
  readonly httpStatus: number
  readonly status?: string
  readonly errorType?: string
  readonly error?: string
  readonly warnings?: readonly string[]
  readonly infos?: readonly string[]
  readonly data?: unknown
}

const RELATIVE = 1e-9

/** Null when they are the same, else what differs, ours first. */
export function difference(ours: Answer, theirs: Answer): string | null {
  if (ours.httpStatus !== theirs.httpStatus) return differs('HTTP status', shown(ours), shown(theirs))
  if (ours.status !== theirs.status) return differs('status', ours.status, theirs.status)
  if (ours.errorType !== theirs.errorType) return differs('error type', ours.errorType, theirs.errorType)
  if (ours.error !== theirs.error) return differs('error', ours.error, theirs.error)
  for (const level of ['warnings', 'infos'] as const) {
    // Upstream takes them from a map, in no order.
    const [a, b] = [[...(ours[level] ?? [])].sort(), [...(theirs[level] ?? [])].sort()]
    if (JSON.stringify(a) !== JSON.stringify(b)) return differs(level, a, b)
  }
  return dataDifference(ours.data, theirs.data, 'data')
}

function shown({ httpStatus, error }: Answer): string {
  return error === undefined ? String(httpStatus) : `${httpStatus} (${error})`
}

function dataDifference(ours: unknown, theirs: unknown, at: string): string | null {
  if (ours === theirs) return null
  if (typeof ours === 'string' && typeof theirs === 'string' && /\.value|\.histogram|\.result\[1\]/.test(at)) {
    const [a, b] = [numberOf(ours), numberOf(theirs)]
    if (a !== null && b !== null && near(a, b)) return null
  }
  if (Array.isArray(ours) && Array.isArray(theirs)) {
    const length = Math.min(ours.length, theirs.length)
    // Labels first: an order that differs is seen as such.
    for (let i = 0; i < length; i++) {
      const found = dataDifference(ours[i], theirs[i], `${at}[${i}]`)
      if (found !== null) return found
    }
    return ours.length === theirs.length ? null : differs(`${at}.length`, ours.length, theirs.length)
  }
  if (isObject(ours) && isObject(theirs)) {
    const names = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])]
    for (const name of names) {
      const found = dataDifference(ours[name], theirs[name], `${at}.${name}`)
      if (found !== null) return found
    }
    return null
  }
  return differs(at, ours, theirs)
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function numberOf(text: string): number | null {
  if (text === 'NaN') return Number.NaN
  const number = Number(text.replace('Inf', 'Infinity'))
  return Number.isNaN(number) ? null : number
}

function near(a: number, b: number): boolean {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) && Number.isNaN(b)
  if (a === b) return Object.is(a, b) || a !== 0
  return Math.abs(a - b) <= RELATIVE * Math.max(Math.abs(a), Math.abs(b))
}

function differs(what: string, ours: unknown, theirs: unknown): string {
  return `${what}: ours ${cut(ours)}, theirs ${cut(theirs)}`
}

const cut = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 300)
