/**
 * Whose pages may read the API from a browser: nobody's but the hub's own, unless `--web.cors.origin` says so.
 * Semantics: prometheus util/httputil/cors.go. Differs: upstream's default is everybody.
 */
import { compileRegex } from '../../protocol/matchers/mod.ts'

/** Headers of an answer to a page of `origin`; '' = the request names none. */
export type Cors = (origin: string) => Readonly<Record<string, string>>

const NONE: Readonly<Record<string, string>> = {}
const ALLOWED = {
  'access-control-allow-headers': 'Accept, Authorization, Content-Type, Origin',
  'access-control-allow-methods': 'GET, POST, OPTIONS',
  'access-control-expose-headers': 'Date',
}

/** null: answers are for nobody else. @param pattern of whole origins; '' = none. @throws MatcherError */
export function corsOf(pattern: string): Cors | null {
  if (pattern === '') return null
  const regex = compileRegex(`^(?:${pattern})$`)
  return (origin) =>
    origin === ''
      ? NONE
      : { ...ALLOWED, ...(regex.matcher(origin).find() && { 'access-control-allow-origin': origin }) }
}
