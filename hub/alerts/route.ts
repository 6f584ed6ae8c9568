/** Which routes an alert takes. Semantics: Alertmanager dispatch/route.go, Match. */
import { type Labels, labelValue } from '../../protocol/labels/mod.ts'
import type { Route } from './config/mod.ts'
import { matchesAll } from './matchers/mod.ts'

/** In order; the deepest that match, and the node itself when no child does. */
export function matchRoutes(route: Route, labels: Labels): Route[] {
  if (!matchesAll(route.matchers, (name) => labelValue(labels, name))) return []
  const out: Route[] = []
  for (const child of route.routes) {
    const found = matchRoutes(child, labels)
    out.push(...found)
    if (found.length > 0 && !child.continue) break
  }
  return out.length > 0 ? out : [route]
}

/** The tree in the order in which it is walked: children before what follows them. */
export function* walkRoutes(route: Route): Generator<Route> {
  yield route
  for (const child of route.routes) yield* walkRoutes(child)
}
