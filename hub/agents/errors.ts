/** Why an agent was not enrolled; `code` is what the agent's command line switches on. */
export type EnrolmentCode =
  | 'BAD_AGENT'
  | 'BAD_KEY'
  | 'BAD_PROOF'
  | 'BAD_TOKEN'
  | 'TOKEN_EXPIRED'
  | 'AGENT_TAKEN'
  | 'KEY_TAKEN'
  | 'REVOKED'
  | 'UNKNOWN_AGENT'

export class EnrolmentError extends Error {
  readonly code: EnrolmentCode
  constructor(code: EnrolmentCode, message: string) {
    super(message)
    this.name = 'EnrolmentError'
    this.code = code
  }
}

/** The registry's file is there and cannot be used: starting without it would lock every agent out. */
export class RegistryError extends Error {
  readonly code = 'REGISTRY_DAMAGED'
  readonly path: string
  constructor(path: string, what: string, options?: ErrorOptions) {
    super(
      `Cannot read agent registry "${path}": ${what}; restore it from a backup, or remove it and enrol again`,
      options,
    )
    this.name = 'RegistryError'
    this.path = path
  }
}
