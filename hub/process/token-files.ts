/** Tokens in files that only this user can read: who can read one may do what it stands for. */
import type { Env } from '../../protocol/env/mod.ts'
import type { AgentRegistry } from '../agents/mod.ts'
import type { WhenRoom } from './when-room.ts'

const OWN = { mode: 0o600 }

/** A one-time token, for the agent that is set up beside this hub. @throws DiskError */
export function offerEnrolment(
  { disk, log }: Pick<Env, 'disk' | 'log'>,
  registry: Pick<AgentRegistry, 'createToken'>,
  { file, ttlMs }: { readonly file: string; readonly ttlMs: number },
): void {
  const { token } = registry.createToken({ ttlMs })
  disk.writeFileAtomic(file, `${token}\n`, OWN)
  log.info('Wrote a one-time enrolment token', { file })
}

/** New at every start. */
export function newAdminToken(
  { disk, random }: Pick<Env, 'disk' | 'random'>,
  whenRoom: WhenRoom,
  dataPath: string,
): string {
  const token = Array.from(random.bytes(32), (byte) => byte.toString(16).padStart(2, '0')).join('')
  whenRoom.write('the admin token', () => disk.writeFileAtomic(`${dataPath}/admin.token`, `${token}\n`, OWN))
  return token
}
