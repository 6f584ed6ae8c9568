/** Which agents a hub knows: enrolment, approval, revocation, and what each may do on the bus. */
export { type EnrolmentRequest, enrolmentMessage, signEnrolment } from '../../protocol/identity/mod.ts'
export { type EnrolmentCode, EnrolmentError, RegistryError } from './errors.ts'
export type { AgentRecord, AgentStatus } from './file.ts'
export { agentPermissions, type Permissions } from './permissions.ts'
export {
  type AgentRegistry,
  type Authenticated,
  type ConnectClaim,
  createRegistry,
  DEFAULT_SITE,
  type NewToken,
  type RegistryOptions,
} from './registry.ts'
