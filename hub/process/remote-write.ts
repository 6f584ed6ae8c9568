/** Remote write as the hub is configured. */
import { directoryOf } from '../../protocol/config/mod.ts'
import type { Env } from '../../protocol/env/mod.ts'
import { RemoteWriter } from '../remote-write/mod.ts'
import { openReader, type ReaderShare, type TimeRange } from '../tsdb/mod.ts'
import type { HubOptions } from './hub.ts'

/** @param share of the head, once it is there */
export function createRemoteWriter(
  env: Env,
  { settings, build, environment }: HubOptions,
  share: () => ReaderShare,
): RemoteWriter {
  return new RemoteWriter(env, {
    directory: settings.dataPath,
    logLevel: settings.logLevel,
    logFormat: settings.logFormat,
    configDirectory: directoryOf(settings.configFile),
    environment,
    userAgent: `Heliograph/${build.version}`,
    newestMs: () => timesOf(share())?.maxTime ?? Number.NEGATIVE_INFINITY,
  })
}

/** Of all samples in the head; null when there are none. */
export function timesOf(share: ReaderShare): TimeRange | null {
  const reader = openReader(share)
  const range = reader.timeRange()
  reader.release()
  return range
}
