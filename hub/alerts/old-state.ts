/** Silences and the notification log as they were kept before `alerts.db`: two JSON files, taken over once. */
import type { Disk, Logger } from '../../protocol/env/mod.ts'
import { logEntryKey, type Sent } from './nflog.ts'
import type { Silence } from './silences.ts'
import type { StateStore } from './state-store.ts'

export type OldState = {
  readonly disk: Pick<Disk, 'stat' | 'readText' | 'rename'>
  readonly log: Logger
  readonly sha256: (bytes: Uint8Array) => Uint8Array
  readonly logFile: string
  readonly silencesFile: string
  /** Of the store; default true. Else the files stay, as the only copies. */
  readonly isDurable?: boolean
}

export function importOldState(store: StateStore, old: OldState): void {
  const { disk, log, sha256, logFile, silencesFile, isDurable = true } = old
  const take = (file: string, read: (data: never) => (readonly [string, object])[], kind: 'sent' | 'silence'): void => {
    try {
      if (disk.stat(file) === null) return
      const known = new Set(store.load(kind).map(([key]) => key))
      const entries = read(JSON.parse(disk.readText(file)) as never).filter(([key]) => !known.has(key))
      if (entries.length > 0)
        store.put(
          kind,
          entries.map(([key, value]) => [key, JSON.stringify({ version: 1, ...value })]),
        )
      if (!isDurable) return
      disk.rename(file, `${file}.imported`)
      log.info('The state of the alerts was taken over from a file of an earlier version', { file })
    } catch (err) {
      log.error('A file of an earlier version with state of the alerts cannot be taken over', { file, err })
    }
  }
  take(
    logFile,
    ({ sent }: { sent: [string, Sent][] }) => sent.map(([key, value]) => [logEntryKey(key, sha256), value]),
    'sent',
  )
  take(silencesFile, ({ silences }: { silences: Silence[] }) => silences.map((each) => [each.id, each]), 'silence')
}
