/** Message headers on the wire: `NATS/1.0[ status]` CR LF, `Name: value` CR LF …, CR LF. UTF-8. */
const FIRST_LINE = 'NATS/1.0'

/** @throws TypeError for names and values that would break out of their line */
export function encodeHeaders(headers: Readonly<Record<string, string>>): Uint8Array {
  let text = `${FIRST_LINE}\r\n`
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[!-9;-~]+$/.test(name)) throw new TypeError(`Bad header name "${name}"`)
    if (/[\r\n]/.test(value)) throw new TypeError(`Header "${name}" holds a line break`)
    text += `${name}: ${value}\r\n`
  }
  return new TextEncoder().encode(`${text}\r\n`)
}

/** Several values of one name are joined by `, `; a status line becomes `Status` and `Description`. */
export function decodeHeaders(bytes: Uint8Array): Record<string, string> {
  const lines = new TextDecoder().decode(bytes).split('\r\n')
  const out: Record<string, string> = {}
  const first = /^NATS\/1\.0 +(\d{3})(?: +(.*))?$/.exec(lines[0] ?? '')
  if (first !== null) {
    out['Status'] = first[1]!
    if (first[2] !== undefined) out['Description'] = first[2]
  }
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i]!
    const colon = line.indexOf(':')
    if (colon <= 0) continue
    const name = line.slice(0, colon)
    const value = line.slice(colon + 1).trim()
    out[name] = Object.hasOwn(out, name) ? `${out[name]}, ${value}` : value
  }
  return out
}
