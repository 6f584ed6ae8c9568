/** The dispatcher with what it stands on: its state on disk and, with a real NATS, the cluster of hubs that share it. */
import os from 'node:os'
import type { NatsBus } from '../../agent/env/nats-bus.ts'
import { runtimeSha256 } from '../../agent/env/sha256.ts'
import type { PrometheusConfig } from '../../protocol/config/mod.ts'
import type { Env, Logger } from '../../protocol/env/mod.ts'
import { Dispatcher, type DispatcherConfig, importOldState, memoryStateStore, type StateStore } from '../alerts/mod.ts'
import { Cluster, LEASE_MS } from '../cluster/mod.ts'
import { openAlertStore } from '../env/alert-store.ts'
import { openNatsKv } from '../env/kv.ts'
import { smtpMailer } from '../env/mailer.ts'
import type { HubSettings } from './settings.ts'

export type AlertingOptions = {
  readonly settings: Pick<HubSettings, 'dataPath' | 'dispatchStartDelayMs' | 'peerTimeoutMs'>
  readonly prometheus: Pick<PrometheusConfig, 'global' | 'scrapeConfigs' | 'hub'>
  /** null: the embedded bus, which has no buckets. */
  readonly nats: NatsBus | null
  /** HOST:PORT where this hub listens. */
  readonly address: string
  readonly externalUrl: string
}

export type Alerting = {
  readonly dispatcher: Dispatcher
  stop(): Promise<void>
}

const STOP_GRACE_MS = 1_000
const LISTEN_MS_MAX = 120_000

/** @throws TemplateError for a template file that cannot be read */
export function startAlerting(env: Env, config: DispatcherConfig, options: AlertingOptions): Alerting {
  const { settings, prometheus, nats, externalUrl } = options
  const log = env.log.with({ component: 'alerts' })
  const { store, isDurable, close } = openStore(`${settings.dataPath}/alerts.db`, log)
  importOldState(store, {
    disk: env.disk,
    log,
    sha256: runtimeSha256.sha256,
    logFile: `${settings.dataPath}/notifications.json`,
    silencesFile: `${settings.dataPath}/silences.json`,
    isDurable,
  })
  const joined = nats && prometheus.hub.cluster.alerts ? join(env, store, nats, options) : null
  let dispatcher: Dispatcher
  try {
    dispatcher = new Dispatcher(config, {
      ...env,
      log,
      mailer: smtpMailer,
      externalUrl,
      store,
      sha256: runtimeSha256.sha256,
      startDelayMs: settings.dispatchStartDelayMs,
      ...(joined && { cluster: joined.cluster }),
    })
  } catch (error) {
    void joined?.stop()
    close()
    throw error
  }
  joined?.cluster.start()
  return {
    dispatcher,
    stop: async () => {
      dispatcher.stop()
      await dispatcher.whenIdle(STOP_GRACE_MS)
      await joined?.stop()
      close()
    },
  }
}

type OpenStore = { readonly store: StateStore; readonly isDurable: boolean; readonly close: () => void }

function openStore(file: string, log: Logger): OpenStore {
  try {
    const store = openAlertStore(file, log)
    return { store, isDurable: true, close: () => store.close() }
  } catch (err) {
    // Alerts are told all the same.
    log.error('The state of the alerts cannot be kept: after a restart silences are gone and notifications repeat', {
      file,
      err,
    })
    return { store: memoryStateStore(), isDurable: false, close: () => {} }
  }
}

function join(env: Env, store: StateStore, bus: NatsBus, { settings, prometheus, address }: AlertingOptions) {
  const log = env.log.with({ component: 'cluster' })
  const id = instanceId(store, env, log)
  const onWarning = (warning: string): void => log.warn('NATS', { err: warning })
  const leases = openNatsKv({ bus, bucket: 'HELIO_CLUSTER', maxAgeMs: LEASE_MS, onWarning })
  const entries = openNatsKv({ bus, bucket: 'HELIO_ALERTS', onWarning })
  const name = prometheus.hub.cluster.name || os.hostname()
  const self = { id, name, address: address.replace(/^(0\.0\.0\.0|\[?::\]?):/, `${os.hostname()}:`) }
  const waits = { peerTimeoutMs: settings.peerTimeoutMs, listenMs: firstLookMs(prometheus) }
  const cluster = new Cluster({ self, life: randomHex(env, 8), leases, entries, ...waits }, { clock: env.clock, log })
  return {
    cluster,
    stop: async () => {
      await cluster.stop()
      await Promise.all([leases.stop(), entries.stop()])
    },
  }
}

/** After so long every target was scraped and every rule has seen it; until then a rule may fire by what was before. */
function firstLookMs({ global, scrapeConfigs }: AlertingOptions['prometheus']): number {
  const scrapesMs = scrapeConfigs.map(({ scrapeIntervalMs }) => scrapeIntervalMs)
  return Math.min(LISTEN_MS_MAX, Math.max(global.scrapeIntervalMs, ...scrapesMs) + global.evaluationIntervalMs)
}

/** Of this data directory: a hub that starts again is the same member. */
function instanceId(store: StateStore, env: Env, log: Logger): string {
  const known = new Map(store.load('cluster')).get('id')
  if (known) return known
  const id = randomHex(env, 8)
  try {
    store.put('cluster', [['id', id]])
  } catch (err) {
    log.warn('The id of this member cannot be kept; it is another one after a restart', { err })
  }
  return id
}

const randomHex = ({ random }: Pick<Env, 'random'>, count: number): string =>
  Array.from(random.bytes(count), (byte) => byte.toString(16).padStart(2, '0')).join('')
