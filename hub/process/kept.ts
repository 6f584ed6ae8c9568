/** What is kept for how long, by flags and configuration; flags have the say. */
import { formatBytes } from '../../protocol/config/mod.ts'
import { formatDuration } from '../../protocol/durations/mod.ts'
import { type Floors, longestRetention, NO_FLOORS, type RetentionLimits, retentionFloors } from '../block/mod.ts'
import type { LoadedConfig } from './load.ts'
import type { HubSettings } from './settings.ts'

const DEFAULT_MS = 15 * 86_400_000

type Settings = Pick<HubSettings, 'retentionTimeMs' | 'retentionSizeBytes'>
type Loaded = Pick<LoadedConfig, 'retention' | 'prometheus'>

/** Of all that is stored, and of what is kept longest. */
export function retentionLimits(settings: Settings, loaded: Loaded): RetentionLimits {
  const { sizeBytes } = commonRetention(settings, loaded)
  return { timeMs: longestRetention(keptOf(settings, loaded)), sizeBytes }
}

/**
 * As it was asked for of series that no rule matches, whatever else is kept for longer: `15d or 1GiB`.
 * Semantics: Prometheus cmd/prometheus/main.go, StorageRetention of the runtime information.
 */
export function describeRetention(settings: Settings, loaded: Loaded): string {
  const { timeMs, sizeBytes } = commonRetention(settings, loaded)
  return [timeMs > 0 ? formatDuration(timeMs) : '', sizeBytes > 0 ? formatBytes(sizeBytes) : '']
    .filter((part) => part !== '')
    .join(' or ')
}

/** Before which times series are not shown, nor kept when their blocks are written anew. */
export function floorsOf(settings: Settings, loaded: Loaded, nowMs: () => number): Floors {
  const kept = keptOf(settings, loaded)
  return kept.rules.length + kept.downsampling.length === 0 ? NO_FLOORS : retentionFloors(kept, nowMs())
}

function keptOf(settings: Settings, loaded: Loaded): Parameters<typeof retentionFloors>[0] {
  const { retention: rules, prometheus } = loaded
  return { rules, timeMs: commonRetention(settings, loaded).timeMs, downsampling: prometheus.hub.downsampling }
}

/** Of series that no rule matches. */
function commonRetention(settings: Settings, { prometheus: { storage } }: Loaded): RetentionLimits {
  const sizeBytes = settings.retentionSizeBytes ?? storage.retentionSizeBytes ?? 0
  const timeMs = settings.retentionTimeMs ?? storage.retentionTimeMs ?? (sizeBytes > 0 ? 0 : DEFAULT_MS)
  return { timeMs, sizeBytes }
}
