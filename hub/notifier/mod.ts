/** Alerts to the Alertmanagers of the configuration's `alerting` section. */
export { Notifier, type NotifierOptions } from './notifier.ts'
