/** What one identity may say and hear on the bus. Allow lists only: a deny rule is a hole waiting for a wildcard. */
import { inboxPrefix } from '../../protocol/identity/mod.ts'
import { presenceSubject } from '../../protocol/presence/mod.ts'
import { ackSubject, controlSubject, cursorSubject, SUBJECT_PREFIX } from '../../protocol/subjects/mod.ts'

export type Permissions = { readonly publish: readonly string[]; readonly subscribe: readonly string[] }

/** @example agentPermissions('web-1').subscribe[0] // 'helio.v1.ack.web-1' */
export function agentPermissions(agent: string): Permissions {
  return {
    publish: [
      `${SUBJECT_PREFIX}.samples.*.*.${agent}`,
      `${SUBJECT_PREFIX}.backlog.*.*.${agent}`,
      cursorSubject(agent),
      presenceSubject(agent),
    ],
    subscribe: [ackSubject(agent), controlSubject(agent), `${inboxPrefix(agent)}.>`],
  }
}
