/** Errors of templates: the text is Go's, since operators look it up. */

/** The template cannot be read or run. */
export class TemplateError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'TemplateError'
  }
}

export function assertNever(value: never): never {
  throw new Error(`BUG: unexpected ${JSON.stringify(value)}`)
}
