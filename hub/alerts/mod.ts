/** Alerts to people: routing, grouping, notification. */
export {
  type AlertmanagerConfig,
  loadAlertmanagerConfig,
  type Receiver,
  type Route,
} from './config/mod.ts'
export { Dispatcher, type DispatcherCounters, type DispatcherEnv } from './dispatcher.ts'
export { matchRoutes } from './route.ts'
export { unsupported } from './supported.ts'
export { UpstreamNotifier, type UpstreamTarget } from './upstream.ts'
export type { Alert } from './webhook.ts'
