/** Stands for systemd: a socket that programs tell of their lives by sd_notify(3). */
import fs from 'node:fs'
import { createNet } from '../../agent/env/mod.ts'
import type { World } from './world.ts'

export type ServiceManager = {
  /** For the program's environment. */
  readonly environment: Readonly<Record<string, string>>
  /** Oldest first. */
  readonly notices: readonly string[]
}

export async function startServiceManager(world: World, watchdogMs: number): Promise<ServiceManager> {
  const notices: string[] = []
  const path = world.file('notify.sock')
  fs.rmSync(path, { force: true })
  const listener = await createNet().listenDatagrams!({
    address: { path, mode: 0o600 },
    readBufferBytes: 0,
    onDatagrams: ({ bytes, starts, lengths, count }) => {
      for (let i = 0; i < count; i++)
        notices.push(new TextDecoder().decode(bytes.subarray(starts[i]!, starts[i]! + lengths[i]!)))
    },
    onError: (error) => notices.push(`error: ${error.message}`),
  })
  world.onClose(() => listener.close())
  return { environment: { NOTIFY_SOCKET: path, WATCHDOG_USEC: String(watchdogMs * 1000) }, notices }
}
