/** What an agent signs to enrol: it proves that it holds the key, and that this token is meant for this key. */
import type { Signer } from './signing.ts'

export type EnrolmentRequest = {
  readonly token: string
  readonly agent: string
  /** `U…` */
  readonly publicKey: string
  /** Used where the token does not say. */
  readonly site?: string
  /** Signature over `enrolmentMessage`, 64 bytes. */
  readonly proof: Uint8Array
}

export function enrolmentMessage(request: Pick<EnrolmentRequest, 'token' | 'agent' | 'publicKey'>): Uint8Array {
  return new TextEncoder().encode(`heliograph enrol 1\n${request.token}\n${request.agent}\n${request.publicKey}\n`)
}

/** The agent's side. */
export function signEnrolment(
  signer: Signer,
  request: Pick<EnrolmentRequest, 'token' | 'agent' | 'publicKey'>,
): Uint8Array {
  return signer.sign(enrolmentMessage(request))
}

/** Inbox prefix of an agent, for its client's `inboxPrefix`: nobody else may listen to its replies. */
export const inboxPrefix = (agent: string): string => `_INBOX_${agent}`
