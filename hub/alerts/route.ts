/** Which routes an alert takes. Semantics: Alertmanager dispatch/route.go, Match. */
import { type Labels, labelValue } from '../../protocol/labels/mod.ts'
import type { Route } from './config.ts'

/** In order; the deepest that match, and the node itself when no child does. */
export function matchRoutes(route: Route, labels: Labels): Route[] {
  for (const { matcher, matches } of route.matchers) if (!matches(labelValue(labels, matcher.name))) return []
  const out: Route[] = []
  for (const child of route.routes) {
    const found = matchRoutes(child, labels)
    out.push(...found)
    if (found.length > 0 && !child.continue) break
  }
  return out.length > 0 ? out : [route]
}
