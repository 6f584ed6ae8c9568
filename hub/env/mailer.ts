/** Mail by nodemailer: SMTP, STARTTLS, logins. It is loaded with the first mail: few hubs send any. */
import { type Mail, MailError, type Mailer } from '../alerts/mailer.ts'

export const smtpMailer: Mailer = {
  send: async (mail) => {
    const { tls, timeoutMs } = mail
    const { default: nodemailer } = await import('nodemailer')
    const transport = nodemailer.createTransport({
      host: mail.host,
      port: mail.port,
      secure: mail.implicitTls,
      requireTLS: mail.requireTls && !mail.implicitTls,
      name: mail.hello,
      ...(mail.user !== '' && { auth: { user: mail.user, pass: mail.password } }),
      ...(mail.authMethod !== '' && { authMethod: mail.authMethod }),
      tls: {
        ...(tls.ca && { ca: tls.ca }),
        ...(tls.cert && { cert: tls.cert }),
        ...(tls.key && { key: tls.key }),
        servername: tls.serverName || mail.host,
        rejectUnauthorized: !tls.insecureSkipVerify,
      },
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      // Nothing that a template says makes files or URLs part of a mail.
      disableFileAccess: true,
      disableUrlAccess: true,
    })
    try {
      await transport.sendMail(message(mail))
    } catch (error) {
      throw mailError(error, mail)
    } finally {
      transport.close()
    }
  },
}

function message({ envelope, from, to, subject, text, html, headers }: Mail) {
  return { envelope, from, to, subject, headers, ...(text !== '' && { text }), ...(html !== '' && { html }) }
}

function mailError(error: unknown, { password }: Mail): MailError {
  const { message: text, responseCode, code } = error as Error & { responseCode?: number; code?: string }
  const shown = password === '' ? text : text.replaceAll(password, '<redacted>')
  // What the server refuses for good, and logins that fail, are not tried again.
  const isFinal = (responseCode !== undefined && responseCode >= 500) || code === 'EAUTH' || code === 'EENVELOPE'
  return new MailError(shown, { cause: error, retry: !isFinal })
}
