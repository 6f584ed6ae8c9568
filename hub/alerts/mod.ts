/** Alerts to people: the Alertmanager's routing, grouping, muting and notifications, and its API. */
export type { Alert } from './alert.ts'
export { type AlertApiOptions, alertApi } from './api.ts'
export { type AlertmanagerConfig, loadAlertmanagerConfig, type Receiver, type Route } from './config/mod.ts'
export {
  Dispatcher,
  type DispatcherConfig,
  type DispatcherCounters,
  type DispatcherEnv,
} from './dispatcher.ts'
export { houseTemplates } from './house-templates.ts'
export { type Mail, MailError, type Mailer } from './mailer.ts'
export { importOldState } from './old-state.ts'
export { matchRoutes } from './route.ts'
export { memoryStateStore, type StateKind, type StateStore } from './state-store.ts'
