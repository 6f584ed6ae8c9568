/**
 * The dialogue of TCP and unix probes: lines that are expected, lines that are sent, TLS from some point on.
 * Semantics: blackbox_exporter prober/query_response.go (v0.28).
 */
import type { TlsConfig } from '../../protocol/config/mod.ts'
import { type ByteSocket, NetError } from '../../protocol/env/mod.ts'
import type { Pattern, QueryResponse } from './modules.ts'
import { bytesOf, leftMs, type ProbeContext, ProbeFailure, setTlsMetrics, step } from './probe.ts'
import { ByteStream } from './stream.ts'

/** As Go's bufio.Scanner. */
const MAX_LINE_BYTES = 64 * 1024

export type Dialogue = {
  readonly socket: ByteSocket
  readonly steps: readonly QueryResponse[]
  readonly tlsConfig: TlsConfig | null
  /** Whose certificate it must be when TLS begins. */
  readonly host: string
}

/** Closes the socket. @throws ProbeFailure, NetError */
export async function runDialogue(context: ProbeContext, { socket, steps, tlsConfig, host }: Dialogue): Promise<void> {
  const { page, log, deps } = context
  page.register('probe_failed_due_to_regex', 'probe_failed_due_to_bytes')
  let current = socket
  let stream = steps.length === 0 ? null : new ByteStream(socket, deps.clock, context.deadlineMs)
  try {
    for (const [i, { expect, expectBytes, labels, send, startTls }] of steps.entries()) {
      log.debug('Processing query response entry', { entry_number: i })
      let text = send
      if (expect !== null) {
        const match = await expectLine(context, stream!, expect)
        text = match.expand(send)
        if (labels.length > 0)
          page.set(
            'probe_expect_info',
            1,
            Object.fromEntries(labels.map(({ name, value }) => [name, match.expand(value)])),
          )
      }
      if (expectBytes !== '') await expectExactly(context, stream!, bytesOf(expectBytes))
      if (text !== '') {
        log.debug('Sending line', { line: text })
        stream!.write(bytesOf(`${text}\n`))
      }
      if (!startTls) continue
      const started = await step('TLS Handshake (client) failed', context, () =>
        deps.net.startTls(current, { host, tls: deps.access.tls(tlsConfig), timeoutMs: leftMs(context) }),
      )
      log.debug('TLS Handshake (client) succeeded.')
      current = started.socket
      stream = new ByteStream(current, deps.clock, context.deadlineMs)
      setTlsMetrics(page, started.session, { withChainExpiry: true, isChecked: tlsConfig?.insecureSkipVerify !== true })
    }
  } finally {
    current.destroy()
  }
}

type Match = { expand(template: string): string }

async function expectLine(context: ProbeContext, stream: ByteStream, expect: Pattern): Promise<Match> {
  const { page, log } = context
  for (let last = ''; ; ) {
    const line = await nextLine(context, stream)
    if (line === null) {
      page.set('probe_failed_due_to_regex', 1)
      throw new ProbeFailure('Regexp did not match', { regexp: expect.source, line: last })
    }
    last = line
    log.debug('Read line', { line })
    const match = matchOf(expect, line)
    if (match === null) continue
    log.debug('Regexp matched', { regexp: expect.source, line })
    page.set('probe_failed_due_to_regex', 0)
    return match
  }
}

/** null at the end; what comes before it without a newline is a line, too. */
async function nextLine(context: ProbeContext, stream: ByteStream): Promise<string | null> {
  const parts: Uint8Array[] = []
  try {
    for (let total = 0; ; ) {
      const chunk = await stream.read()
      if (chunk === null) return parts.length === 0 ? null : decodeLine(parts)
      const at = chunk.indexOf(0x0a)
      parts.push(at < 0 ? chunk : chunk.subarray(0, at))
      total += parts.at(-1)!.length
      if (total > MAX_LINE_BYTES) throw new NetError('BODY_TOO_LARGE', 'bufio.Scanner: token too long')
      if (at < 0) continue
      stream.unread(chunk.subarray(at + 1))
      return decodeLine(parts)
    }
  } catch (error) {
    context.log.error('Error reading from connection', { err: (error as Error).message })
    throw new ProbeFailure('Error reading from connection', { err: (error as Error).message }, { cause: error })
  }
}

function decodeLine(parts: readonly Uint8Array[]): string {
  return new TextDecoder().decode(Buffer.concat(parts)).replace(/\r$/, '')
}

/** Semantics of `expand`: Go regexp.Expand. */
export function matchOf({ regex }: Pattern, text: string): Match | null {
  const matcher = regex.matcher(text)
  if (!matcher.find()) return null
  const groups = Array.from({ length: regex.groupCount() + 1 }, (_, i) => matcher.group(i) ?? '')
  const names = regex.namedGroups() as Readonly<Record<string, number>>
  return {
    expand: (template) =>
      template.replace(/\$(?:(\$)|(\w+)|\{(\w+)\})/g, (_, dollar, bare, braced) => {
        if (dollar) return '$'
        const reference = bare ?? braced
        const group = /^\d+$/.test(reference) ? Number(reference) : names[reference]
        return group === undefined ? '' : (groups[group] ?? '')
      }),
  }
}

async function expectExactly(context: ProbeContext, stream: ByteStream, expected: Uint8Array): Promise<void> {
  const { page, log } = context
  const got = await step('Error reading from connection', context, () => stream.readExactly(expected.length))
  const show = (bytes: Uint8Array): string => `[${bytes.join(' ')}]`
  log.debug('Read bytes', { bytes: show(got) })
  if (expected.some((byte, i) => byte !== got[i])) {
    page.set('probe_failed_due_to_bytes', 1)
    throw new ProbeFailure('Bytes did not match', { expected: show(expected), bytes: show(got) })
  }
  page.set('probe_failed_due_to_bytes', 0)
}
