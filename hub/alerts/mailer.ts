/** How mail leaves; the adapter is `hub/env/mailer.ts`. */
export type Mail = {
  readonly host: string
  readonly port: number
  /** TLS from the first byte, instead of STARTTLS. */
  readonly implicitTls: boolean
  /** Without STARTTLS nothing is sent. */
  readonly requireTls: boolean
  /** How the client calls itself. */
  readonly hello: string
  readonly user: string
  readonly password: string
  /** How to log in; '' = as the server offers. */
  readonly authMethod: '' | 'CRAM-MD5'
  readonly tls: {
    readonly ca: string
    readonly cert: string
    readonly key: string
    readonly serverName: string
    readonly insecureSkipVerify: boolean
  }
  /** Who sends it and who gets it, whatever its headers say. */
  readonly envelope: { readonly from: string; readonly to: string }
  readonly from: string
  readonly to: string
  readonly headers: Readonly<Record<string, string>>
  readonly subject: string
  readonly text: string
  readonly html: string
  readonly timeoutMs: number
}

export class MailError extends Error {
  /** The server may take it later: connection problems and 4xx. */
  readonly retry: boolean
  constructor(message: string, options: ErrorOptions & { readonly retry: boolean }) {
    super(message, options)
    this.name = 'MailError'
    this.retry = options.retry
  }
}

export interface Mailer {
  /** @throws MailError */
  send(mail: Mail): Promise<void>
}
