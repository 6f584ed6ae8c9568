/** What the Alertmanager's API refuses, as it says so. */

/** Codes of what is not as the API's description says. Semantics: go-openapi errors/schema.go. */
const DESCRIPTION_CODES = { format: 601, required: 602, minItems: 612 } as const

export class ApiFailure extends Error {
  readonly status: number
  /** null: the answer is the text alone; else an object with both. */
  readonly code: number | null
  constructor(status: number, message: string, code: number | null = null) {
    super(message)
    this.name = 'ApiFailure'
    this.status = status
    this.code = code
  }
}

/** What a handler refuses. */
export const bad = (message: string): never => {
  throw new ApiFailure(400, message)
}

/** What cannot be decoded. */
export const undecodable = (what: string, reason: string): never => {
  throw new ApiFailure(400, `parsing ${what} body from "" failed, because ${reason}`, 400)
}

/** What is decoded and against the description. */
export const invalid = (kind: keyof typeof DESCRIPTION_CODES, message: string): never => {
  throw new ApiFailure(422, message, DESCRIPTION_CODES[kind])
}
