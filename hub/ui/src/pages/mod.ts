/** All pages but the query page: one chunk, fetched when the first of them is opened. */
export { AgentsPage } from './agents.tsx'
export { AlertsPage } from './alerts.tsx'
export { StatusPage } from './status.tsx'
export { TargetsPage } from './targets.tsx'
