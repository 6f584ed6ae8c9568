/** Who an agent is: an Ed25519 key pair in NATS's text form (nkey), its signatures, and the id on its subjects. */
export { agentIdFor, agentIdFromHostName } from './agent-id.ts'
export { type EnrolmentRequest, enrolmentMessage, inboxPrefix, signEnrolment } from './enrolment.ts'
export {
  decodePublicKey,
  decodeSeed,
  encodePublicKey,
  encodeSeed,
  KEY_BYTES,
  KeyError,
  SIGNATURE_BYTES,
} from './nkey.ts'
export {
  generateSeed,
  naclSigner,
  naclVerifier,
  publicKeyOfSeed,
  type Signer,
  type Verifier,
} from './signing.ts'
