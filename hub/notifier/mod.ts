/** Alerts to the Alertmanagers of the configuration's `alerting` section. */
export { jobNameOf } from './jobs.ts'
export { Notifier, type NotifierOptions } from './notifier.ts'
